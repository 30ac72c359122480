import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placesOf } from '../../../src/buildpacks/rewriting/places.js'
import { replaceUrls } from '../../../src/buildpacks/rewriting/replace-urls.js'
import { limits } from '../../property/limits.js'
import { base, configured } from './fixtures.js'

const places = placesOf(
  await configured({
    'lang-jvm': { remote: 'https://lang-jvm.s3.amazonaws.com' },
    github: { remote: 'https://github.com', allow: ['*/*/archive/**', '**/*-*-*.tgz'], block: ['**/secret/**'] },
    maven: { remote: 'https://repo1.maven.org/maven2' },
  }),
)

const piece = fc.oneof(
  fc.constantFrom(
    ...[
      'https:',
      'http://',
      '//',
      'https:\\/\\/',
      '\\/',
      '\\',
      '@',
      ':',
      ':443',
      '.',
      '-',
      '%',
      '$',
      '{',
      '}',
      '(',
      ')',
      '"',
    ],
    ...[
      'lang-jvm.s3.amazonaws.com',
      's3.us-east-1.amazonaws.com',
      '/lang-jvm',
      'github.com',
      '/o/r/archive/',
      'é',
      '\n',
    ],
    ...['repo1.maven.org', '/maven2', '.amazonaws.com', 's3.', base, '/repository/', 'x'],
  ),
  fc.string({ maxLength: 5 }),
)
const hostile = fc.array(piece, { maxLength: 40 }).map((parts) => Buffer.from(parts.join('')).toString('latin1'))

describe('whatever a text says', () => {
  it('replacing again changes nothing, and only URLs change', () => {
    return fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const once = await replaceUrls(text, places, base)
        expect(await replaceUrls(once.text, places, base)).toEqual({ text: once.text, urls: 0 })
        if (once.urls === 0) expect(once.text).toBe(text)
        // What is no URL of the places is there still, in order.
        const ours = /https:(?:\/\/|\\\/\\\/)larder\.example(?:\/|\\\/)repository(?:\/|\\\/)(?:lang-jvm|github|maven)/g
        let at = 0
        for (const part of once.text.split(ours)) {
          at = text.indexOf(part, at)
          expect(at).toBeGreaterThanOrEqual(0)
          at += part.length
        }
      }),
      limits(5000, 15),
    )
  })

  it.each([
    'https:',
    'https://',
    'https://github.com/',
    'https://github.com/(',
    'https://github.com/)',
    'https://github.com/a-',
    'https://github.com.',
    'https://github.com$',
    'http:\\/\\/s3.amazonaws.com\\/',
    's3.amazonaws.com',
    '\\/',
    'a.',
    '@',
  ])('%s over and over takes no longer than its length', async (text) => {
    const started = performance.now()
    for (const start of ['', 'https://', 'https://github.com/', 'https://s3.amazonaws.com/']) {
      await replaceUrls(start + text.repeat(2 ** 20 / text.length), places, base)
    }
    // Hours, if each place were looked at from each other.
    expect(performance.now() - started).toBeLessThan(30_000)
  })
})
