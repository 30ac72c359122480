import { describe, expect, it } from 'vitest'
import { digestIn } from '../../src/caching/checksum-list.js'
import { checksumRule, contradictsPin, listPath } from '../../src/caching/checksum-rules.js'
import type { ChecksumRule } from '../../src/caching/repository.js'

const [one, two] = ['1a'.repeat(32), '2b'.repeat(32)]

const inventory = (...artifacts: unknown[]) => JSON.stringify({ version_aliases: {}, artifacts })

const entry = (url: unknown, checksum: unknown = `sha256:${one}`) => ({ version: '21', os: 'linux', url, checksum })

describe('U4: the digest a list has for d/x.tgz', () => {
  it.each([
    ['a lone digest', 'd/x.tgz.sha256', one, one],
    ['in capitals, with white space around', 'd/x.tgz.sha256', `\ufeff ${one.toUpperCase()} \r\n`, one],
    ['a lone digest of this name', 'sums/x.txt', `${one}  x.tgz\n`, one],
    ['a lone digest beside the artifact, of the name it was built under', 'd/x.tgz.sha256', `${one}  out/y.tgz`, one],
    ['a lone digest of another name in a general list', 'd/SHASUMS256.txt', `${one}  y.tgz\n`, undefined],
    ['GNU lines', 'd/SHASUMS256.txt', `${two}  y.tgz\n${one}  x.tgz\n`, one],
    ['GNU lines of binary files', 'd/SHASUMS256.txt', `${two} *y.tgz\n${one} *x.tgz\n`, one],
    ['with ./', 'd/SHASUMS256.txt', `${two}  ./y.tgz\r\n${one}  ./x.tgz\r\n`, one],
    ['paths from above', 'SHASUMS256.txt', `${two}  e/x.tgz\n${one}  d/x.tgz\n`, one],
    ['a signed list', 'd/S.asc', `-----BEGIN PGP\nHash: SHA256\n\n${two}  y\n${one}  x.tgz\n-----BEGIN PGP S`, one],
    ['BSD lines', 'd/CHECKSUM', `SHA256 (y.tgz) = ${two}\nSHA256 (x.tgz) = ${one}\n`, one],
    ['OpenSSL lines', 'd/CHECKSUM', `SHA2-256(y.tgz)= ${two}\nSHA2-256(x.tgz)= ${one}\n`, one],
    ['of other names only', 'd/S', `${one}  y.tgz\n${two}  ax.tgz\n`, undefined],
    ['the same name elsewhere', 'S', `${one}  x.tgz\n${two}  e/x.tgz\n`, undefined],
    ['two that differ', 'd/S', `${one}  x.tgz\n${two}  x.tgz\n`, undefined],
    ['the same twice', 'd/S', `${one}  x.tgz\n${one} *x.tgz\n${two}  y\n`, one],
    ['SHA-512 and SHA-1', 'd/x.tgz.sha512', `${one}${two}\n${one.slice(0, 40)}  x.tgz`, undefined],
    [
      'an inventory',
      'inventory.json',
      inventory(entry('https://h/e/x.tgz', `sha256:${two}`), entry('https://h/d/x.tgz')),
      one,
    ],
    ['an inventory of a bucket above', 'i.json', inventory(entry('https://cdn.test/bucket/d/x.tgz')), one],
    ['of another file with the same ending', 'i.json', inventory(entry('https://h/ad/x.tgz')), undefined],
    [
      'two that differ in an inventory',
      'i.json',
      inventory(entry('https://h/d/x.tgz'), entry('https://h/b/d/x.tgz', `sha256:${two}`)),
      undefined,
    ],
    ['another algorithm', 'i.json', inventory(entry('https://h/d/x.tgz', `sha512:${one}${two}`)), undefined],
    [
      'odd entries',
      'i.json',
      inventory(null, 1, [], entry(5), entry('no url'), entry('https://h/d/x.tgz', 7)),
      undefined,
    ],
    ['JSON of another form', 'i.json', '{"artifacts":{"x":1}}', undefined],
    ['JSON cut short', 'i.json', inventory(entry('https://h/d/x.tgz')).slice(0, -2), undefined],
    ['a page', 'd/S', `<!doctype html><p>${one}`, undefined],
    ['nothing', 'd/S', '', undefined],
  ])('%s', (_, listedAt, list, expected) => {
    expect(digestIn(list, listedAt, 'd/x.tgz')).toBe(expected)
  })

  it.each([
    ['a name as it is', 'd/S', `${one}  a b+c.tgz\n${two}  y`],
    ['a name as in the URL', 'd/S', `${one}  a%20b%2Bc.tgz\n${two}  y`],
    ['a URL', 'i.json', inventory(entry('https://h/d/a%20b+c.tgz'))],
  ])('%s, for an escaped path', (_, listedAt, list) => {
    expect(digestIn(list, listedAt, 'd/a%20b%2Bc.tgz')).toBe(one)
  })
})

describe('U4: where the list is', () => {
  it.each([
    ['{path}.sha256', 'a/b/x.tgz', 'a/b/x.tgz.sha256'],
    ['{dir}/SHASUMS256.txt', 'a/b/x.tgz', 'a/b/SHASUMS256.txt'],
    ['{dir}/SHASUMS256.txt', 'x.tgz', 'SHASUMS256.txt'],
    ['/sums/{name}', 'a/b/x.tgz', 'sums/x.tgz'],
    ['inventory.json', 'a/b/x.tgz', 'inventory.json'],
    ['{path}.sha256', "a/$&$'.tgz", "a/$&$'.tgz.sha256"],
  ])('%s of %s', (template, path, expected) => {
    expect(listPath(template, path)).toBe(expected)
  })
})

const glob = (match: string) => ({ match, matches: (path: string) => match === '**' || path.startsWith(match) })
const listed = (match: string, template: string): ChecksumRule => ({
  ...glob(match),
  expected: { kind: 'listed', in: template },
  required: true,
})
const literal = (match: string, sha256: string): ChecksumRule => ({
  ...glob(match),
  expected: { kind: 'literal', sha256 },
  required: true,
})

const policy = (...checksums: ChecksumRule[]) => ({ typeGuard: false, checksums })

describe('U4: the rule for a path', () => {
  it('is the first that fits', () => {
    const rules = [literal('a/', one), literal('a/b', two), listed('**', '{path}.sha256')]
    expect(checksumRule('a/b', policy(...rules))).toBe(rules[0])
    expect(checksumRule('c', policy(...rules))).toBe(rules[2])
    expect(checksumRule('c', policy(literal('a', one)))).toBeUndefined()
  })

  it.each([
    ['{path}.sha256', 'a/x.tgz.sha256', true],
    ['{path}.sha256', 'a/x.tgz', false],
    ['{dir}/SHASUMS256.txt', 'SHASUMS256.txt', true],
    ['{dir}/SHASUMS256.txt', 'a/b/SHASUMS256.txt', true],
    ['{dir}/SHASUMS256.txt', 'a/b/xSHASUMS256.txt', false],
    ['{dir}/SHASUMS256.txt', 'a/SHASUMS256xtxt', false],
    ['sums/{name}.txt', 'sums/x.txt', true],
    ['sums/{name}.txt', 'sums/a/x.txt', false],
    ['/inventory.json', 'inventory.json', true],
    ['inventory.json?version=2', 'inventory.json', true],
    ['inventory.json', 'a/inventory.json', false],
    ['{path}', 'a/x.tgz', false],
    ['{dir}/{name}', 'a/x.tgz', false],
  ])('a list of %s is never held to a list: %s', (template, path, isList) => {
    const rules = [listed('**', template)]
    expect(checksumRule(path, policy(...rules)) === undefined).toBe(isList)
    expect(checksumRule(path, policy(literal('**', one), ...rules))).toMatchObject({ expected: { kind: 'literal' } })
  })
})

describe('U4: a stored copy and the pin of today', () => {
  it.each([
    ['no rules', policy(), false],
    ['its digest', policy(literal('**', one)), false],
    ['another digest', policy(literal('**', two)), true],
    ['another digest of other paths', policy(literal('b', two)), false],
    ['a rule before it', policy(literal('a', one), literal('**', two)), false],
    ['a list', policy(listed('**', 'list')), false],
  ])('%s', (_, rules, wrong) => {
    expect(contradictsPin('a/x', rules, `sha256:${one}`)).toBe(wrong)
  })
})
