import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { contentRange, expectation, violated } from '../../src/caching/integrity.js'

const body = 'hello'
const hash = (algorithm: string, encoding: 'hex' | 'base64') => createHash(algorithm).update(body).digest(encoding)
const md5 = hash('md5', 'hex')
const sha256 = hash('sha256', 'hex')
const md5Base64 = hash('md5', 'base64')
const sha256Base64 = hash('sha256', 'base64')

const promised = (headers: string[], status = 200) => expectation({ status, headers })

describe('U4: the length', () => {
  it.each([
    ['none', [], {}],
    ['one', ['Content-Length', '5'], { length: 5 }],
    ['zero', ['Content-Length', '0'], { length: 0 }],
    ['the same twice', ['Content-Length', '5', 'content-length', '5'], { length: 5 }],
    ['the same in a list', ['Content-Length', '5, 5'], { length: 5 }],
    ['two of them', ['Content-Length', '5', 'Content-Length', '6'], {}],
    ['negative', ['Content-Length', '-5'], {}],
    ['decimal', ['Content-Length', '5.0'], {}],
    ['empty', ['Content-Length', ''], {}],
    ['beyond every number', ['Content-Length', '9'.repeat(30)], {}],
    ['overridden by chunks', ['Content-Length', '5', 'Transfer-Encoding', 'chunked'], {}],
  ])('%s', (_, headers, expected) => {
    expect(promised(headers)).toEqual(expected)
  })
})

describe('U4: the MD5', () => {
  const s3 = ['x-amz-request-id', 'R', 'ETag', `"${md5}"`]
  it.each([
    ['Content-MD5', ['Content-MD5', md5Base64], md5],
    ['Content-MD5 without padding', ['Content-MD5', md5Base64.replace(/=+$/, '')], undefined],
    ['Content-MD5 of another length', ['Content-MD5', 'aGVsbG8='], undefined],
    ['Content-MD5 in hex', ['Content-MD5', md5], undefined],
    ['Content-MD5 twice', ['Content-MD5', md5Base64, 'Content-MD5', md5Base64], undefined],
    ['the tag of an S3 object', s3, md5],
    ['in upper case', ['x-amz-request-id', 'R', 'ETag', `"${md5.toUpperCase()}"`], md5],
    ['encrypted by S3', [...s3, 'x-amz-server-side-encryption', 'AES256'], md5],
    ['encrypted by KMS', [...s3, 'x-amz-server-side-encryption', 'aws:kms'], undefined],
    ['encrypted twice by KMS', [...s3, 'x-amz-server-side-encryption', 'aws:kms:dsse'], undefined],
    ["under the customer's key", [...s3, 'x-amz-server-side-encryption-customer-algorithm', 'AES256'], undefined],
    ["under the customer's key, by its MD5", [...s3, 'x-amz-server-side-encryption-customer-key-MD5', 'x'], undefined],
    ['of a directory bucket', [...s3, 'x-amz-storage-class', 'EXPRESS_ONEZONE'], undefined],
    ['of another server', ['ETag', `"${md5}"`], undefined],
    ['weak', ['x-amz-request-id', 'R', 'ETag', `W/"${md5}"`], undefined],
    ['unquoted', ['x-amz-request-id', 'R', 'ETag', md5], undefined],
    ['of an upload in parts', ['x-amz-request-id', 'R', 'ETag', `"${md5}-12"`], undefined],
    ['Content-MD5 before the tag', [...s3, 'Content-MD5', Buffer.alloc(16).toString('base64')], '0'.repeat(32)],
    ['the tag where Content-MD5 is malformed', [...s3, 'Content-MD5', 'x'], md5],
  ])('%s', (_, headers, expected) => {
    expect(promised(headers).md5).toBe(expected)
  })
})

describe('U4: the SHA-256 (RFC 9530)', () => {
  const zeros = Buffer.alloc(32).toString('base64')
  it.each([
    ['Repr-Digest', ['Repr-Digest', `sha-256=:${sha256Base64}:`], sha256],
    ['Content-Digest', ['Content-Digest', `sha-256=:${sha256Base64}:`], sha256],
    ['among others', ['Repr-Digest', `sha-512=:AAAA:, sha-256=:${sha256Base64}:;x=1`], sha256],
    ['on another line', ['Repr-Digest', 'md5=:AAAA:', 'Repr-Digest', `sha-256=:${sha256Base64}:`], sha256],
    ['another algorithm', ['Repr-Digest', `sha-512=:${sha256Base64}:`], undefined],
    ['of another length', ['Repr-Digest', 'sha-256=:AAAA:'], undefined],
    ['without colons', ['Repr-Digest', `sha-256=${sha256Base64}`], undefined],
    ['of S3', ['x-amz-checksum-sha256', sha256Base64], sha256],
    ['of S3, of parts', ['x-amz-checksum-sha256', `${sha256Base64}-12`], undefined],
    ['Repr-Digest first', ['Content-Digest', `sha-256=:${zeros}:`, 'Repr-Digest', `sha-256=:${sha256Base64}:`], sha256],
  ])('%s', (_, headers, expected) => {
    expect(promised(headers).sha256).toBe(expected)
  })
})

it('U4: a 206 promises only what is said of the part', () => {
  const ofWhole = ['x-amz-request-id', 'R', 'ETag', `"${md5}"`, 'x-amz-checksum-sha256', sha256Base64]
  const digest = ['Repr-Digest', `sha-256=:${sha256Base64}:`]
  expect(promised([...ofWhole, ...digest, 'Content-Length', '2'], 206)).toEqual({ length: 2 })
  const ofPart = ['Content-MD5', md5Base64, 'Content-Digest', `sha-256=:${sha256Base64}:`]
  expect(promised(ofPart, 206)).toEqual({ md5, sha256 })
})

describe('U4: contentRange (RFC 9110 §14.4)', () => {
  it.each([
    ['bytes 0-4/10', { start: 0, end: 4, size: 10 }],
    ['bytes 9-9/10', { start: 9, end: 9, size: 10 }],
    ['Bytes 5-9/*', { start: 5, end: 9, size: undefined }],
    [undefined, undefined],
    ['', undefined],
    ['bytes */10', undefined],
    ['bytes 5-4/10', undefined],
    ['bytes 0-10/10', undefined],
    ['bytes 0-4', undefined],
    ['items 0-4/10', undefined],
    ['bytes 0-4/10, bytes 5-9/10', undefined],
    [`bytes 0-${'9'.repeat(20)}/*`, undefined],
    [`bytes 0-4/${'9'.repeat(20)}`, undefined],
  ])('%s', (value, expected) => {
    expect(contentRange(value)).toEqual(expected)
  })
})

describe('U4: violated', () => {
  const actual = { length: 5, md5, sha256 }
  it.each([
    ['nothing promised', {}, actual, undefined],
    ['all kept', { length: 5, md5, sha256 }, actual, undefined],
    ['the length', { length: 6, md5 }, actual, 'length promised 6, got 5'],
    ['a length of 0', { length: 0 }, actual, 'length promised 0, got 5'],
    ['the MD5', { length: 5, md5: 'x' }, actual, `md5 promised x, got ${md5}`],
    ['the SHA-256', { sha256: 'x' }, actual, `sha256 promised x, got ${sha256}`],
    ['an MD5 nobody took', { md5 }, { length: 5, sha256 }, `md5 promised ${md5}, got none`],
  ])('%s', (_, expected, given, words) => {
    expect(violated(expected, given)).toBe(words)
  })
})
