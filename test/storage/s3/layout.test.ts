import { describe, expect, it } from 'vitest'
import { storageKey, storagePrefixOf } from '../../../src/caching/cache-key.js'
import { layoutUnder } from '../../../src/storage/s3/layout.js'
import { digestOf } from '../fixtures.js'

const longPrefix = `${'p'.repeat(199)}/`

describe('D5: names of objects', () => {
  it.each([
    ['a short key', '', 'raw/a', 'v1/records/raw/a/'],
    ['under a prefix', 'larder/', 'raw/a?x=1', 'larder/v1/records/raw/a?x=1/'],
    ['a key without a path', '', 'raw/', 'v1/records/raw//'],
  ])('%s', (_, prefix, key, start) => {
    const name = layoutUnder(prefix).record(key)
    expect(name.startsWith(start)).toBe(true)
    expect(name.slice(start.length)).toBe(storageKey(key).slice(-64))
  })

  it.each(['', longPrefix])(
    'are never longer than S3 takes, told apart, and found by their prefix: "%.5s"',
    (prefix) => {
      const layout = layoutUnder(prefix)
      const repository = 'n'.repeat(255)
      const keys = ['a', 'b'].map((last) => `${repository}/${'é'.repeat(2000)}${last}`)
      const names = keys.map((key) => layout.record(key))
      expect(new Set(names).size).toBe(2)
      for (const [i, name] of names.entries()) {
        expect(name.length).toBeLessThanOrEqual(1024)
        for (const length of [1, 200, 256, 400, 1000, 2200]) {
          const under = layout.recordsUnder(storagePrefixOf(String(keys[i]).slice(0, length)))
          expect(name.startsWith(under), `${length}`).toBe(true)
        }
      }
    },
  )

  it('a blob is named by its digest, and its digest by its name', () => {
    const layout = layoutUnder('larder/')
    const digest = digestOf(Buffer.from('x'))
    const hex = digest.slice('sha256:'.length)
    expect(layout.blob(digest)).toBe(`larder/v1/blobs/sha256/${hex.slice(0, 2)}/${hex}`)
    expect(layout.digestOf(layout.blob(digest))).toBe(digest)
    expect(layout.digestOf('larder/v1/blobs/sha256/README')).toBeUndefined()
  })

  it('an order is named by what it means, however long that is', () => {
    const layout = layoutUnder('')
    const selection = { repository: 'raw', by: 'glob', pattern: 'a/'.repeat(2000) } as const
    const purge = { kind: 'purge', selection, epoch: 5, soft: false, done: false } as const
    expect(layout.order(purge)).toMatch(/^v1\/orders\/purge\/[0-9a-f]{64}$/)
    expect(layout.order({ ...purge, epoch: 9, done: true })).toBe(layout.order(purge))
    expect(layout.order({ kind: 'pin', selection })).not.toBe(layout.order(purge))
  })
})
