import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { plainAccess, type RemoteAuth } from '../../src/caching/repository.js'
import { withCredentials } from '../../src/upstream/credentials.js'

const keys = {
  scheme: 'sigv4',
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: undefined,
  region: 'us-east-1',
  service: 's3',
} as const

const at = (url: string, method: 'GET' | 'HEAD' = 'GET') => {
  const [, origin = '', path = ''] = /^(https?:\/\/[^/]*)(.*)$/.exec(url) ?? []
  return { method, origin: new URL(origin), path }
}

const fields = (auth: RemoteAuth, url = 'https://h.test/a') =>
  withCredentials(['Accept', '*/*'], { ...plainAccess, auth }, at(url))

describe('U6: the fields a remote asks for', () => {
  it.each([
    ['none', undefined, []],
    ['basic', { scheme: 'basic', username: 'me', password: 'p:w' }, ['Authorization', 'Basic bWU6cDp3']],
    ['basic, not ASCII', { scheme: 'basic', username: 'ü', password: '€' }, ['Authorization', 'Basic w7w64oKs']],
    ['bearer', { scheme: 'bearer', token: 't0ken' }, ['Authorization', 'Bearer t0ken']],
  ] as const)('%s', async (_, auth, expected) => {
    const sent = await withCredentials(['Accept', '*/*'], { ...plainAccess, auth }, at('https://h.test/a'))
    expect(sent).toEqual(['Accept', '*/*', ...expected])
  })

  it("come before the client's of the same name, whatever the spelling", async () => {
    const access = { ...plainAccess, auth: { scheme: 'bearer', token: 'ours' }, headers: ['X-Api-Key', 'k'] } as const
    const given = ['AUTHORIZATION', 'Bearer theirs', 'Accept', '*/*', 'x-api-key', 'theirs', 'x-API-key', 'again']
    const sent = await withCredentials(given, access, at('https://h.test/a'))
    expect(sent).toEqual(['Accept', '*/*', 'X-Api-Key', 'k', 'Authorization', 'Bearer ours'])
  })

  it("the client's go on where the remote asks for none", async () => {
    const given = ['Authorization', 'Bearer theirs']
    expect(await withCredentials(given, plainAccess, at('https://h.test/a'))).toEqual(given)
  })
})

describe('U6: AWS Signature Version 4', () => {
  beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2013, 4, 24, 0, 0, 0), toFake: ['Date'] }))
  afterEach(() => void vi.useRealTimers())
  const named = async (auth: RemoteAuth, url?: string) => {
    const sent = await fields(auth, url)
    return Object.fromEntries(sent.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), sent[i + 1]]] : [])))
  }

  it('covers what no proxy on the way changes, and nothing else', async () => {
    expect(await named({ ...keys, sessionToken: 'sess' })).toEqual({
      accept: '*/*',
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20130524\/us-east-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
      ),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-date': '20130524T000000Z',
      'x-amz-security-token': 'sess',
    })
  })

  it('the clock is read at each request', async () => {
    const first = await named(keys)
    vi.setSystemTime(Date.UTC(2013, 4, 24, 0, 0, 1))
    expect(await named(keys)).toMatchObject({ 'x-amz-date': '20130524T000001Z' })
    expect((await named(keys)).authorization).not.toBe(first.authorization)
  })

  it.each([
    ["a bare + is a blank at Amazon's", 'https://b.s3.eu-west-1.amazonaws.com/a+b', '/a%20b', true],
    ['and no plus', 'https://b.s3.amazonaws.com.cn/a+b', '/a%2Bb', false],
    ['a bare + is a plus elsewhere', 'https://minio.test/b/a+b', '/b/a%2Bb', true],
    ['and no blank', 'https://amazonaws.com.evil.test/b/a+b', '/b/a%20b', false],
    ['one character, two spellings', 'https://h.test/a~b', '/a%7Eb', true],
    ['an encoded slash is one of the key', 'https://h.test/a%2Fb', '/a/b', true],
    ['a double slash is two', 'https://h.test/a//b', '/a/b', false],
    ['a # goes to the server', 'https://h.test/a#b', '/a%23b', true],
    ['an empty value', 'https://h.test/a?acl', '/a?acl=', true],
    ['the order of a query', 'https://h.test/a?c=1&b=2', '/a?b=2&c=1', true],
    ['the query', 'https://h.test/a?b=1', '/a?b=2', false],
  ])('%s', async (_, url, same, expected) => {
    const other = new URL(url).origin + same
    expect((await named(keys, url)).authorization === (await named(keys, other)).authorization).toBe(expected)
  })

  it('what cannot be signed with is a fault of ours, which does not quote it', async () => {
    const fault = await fields({ ...keys, sessionToken: 'secret\ntoken' }).catch((error) => error)
    expect(fault.code).toBe('INTERNAL')
    expect(inspect(fault, { depth: 20, showHidden: true })).not.toContain('secret')
  })
})
