import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { get } from '../support/http.js'
import { type Radosgw, radosgwPrograms, startRadosgw } from '../support/radosgw.js'
import { at, serve } from '../support/served.js'
import { missing, title } from '../support/servers.js'
import { noise, type Settings } from '../support/stage.js'

describe.skipIf(missing(...radosgwPrograms).length > 0)(title('U6: a private bucket, real', ...radosgwPrograms), () => {
  let gateway: Radosgw
  const objects = new Map<string, Buffer>()
  const keys = [
    'plain',
    'a%20b',
    'a%2Bb',
    'a%25b',
    '%C3%BC',
    'a~b',
    'a%28b%29%27%2A',
    'a//b',
    '/c',
    'q%3Fx',
    'h%23x',
    's%3Bx%3D%26',
  ]

  beforeAll(async () => {
    gateway = await startRadosgw()
    await gateway.makeBucket('/bucket')
    for (const key of keys) objects.set(key, noise(5_000))
    for (const [key, bytes] of objects) await gateway.put(`/bucket/${key}`, bytes)
  }, 300_000)
  afterAll(() => gateway?.dispose(), 60_000)

  const sigv4 = (more: Settings = {}) => ({
    remote: `${gateway.url}/bucket`,
    auth: {
      sigv4: {
        ...{ region: 'us-east-1', accessKeyId: gateway.accessKeyId, secretAccessKey: gateway.secretAccessKey },
        ...more,
      },
    },
  })

  it('every spelling of every path is signed as the gateway reads it', async () => {
    const larder = await serve({ bucket: sigv4() })
    const spellings: [asked: string, key: string][] = [
      ...keys.map((key): [string, string] => [key, key]),
      ['%70lain', 'plain'],
      ['a+b', 'a%2Bb'],
      ['%c3%bc', '%C3%BC'],
      ['a%7Eb', 'a~b'],
      ["a(b)'*", 'a%28b%29%27%2A'],
      ['a%2F%2Fb', 'a//b'],
      ['s;x=&', 's%3Bx%3D%26'],
      ['plain?versionId=', 'plain'],
      ['plain?b=2&a=1&c=%2B%20', 'plain'],
      ['plain?flag', 'plain'],
    ]
    const wrong: unknown[] = []
    for (const [asked, key] of spellings) {
      const received = await get(at(larder, 'bucket', `/${asked}`))
      if (!received.body.equals(objects.get(key) as Buffer)) wrong.push([asked, received.status])
    }
    expect(wrong).toEqual([])
  })

  it('HEAD, ranges and validation go through, a missing key is a 404', async () => {
    const larder = await serve({ bucket: { ...sigv4(), maxAge: '0s' } })
    const url = at(larder, 'bucket', '/a%20b')
    const whole = objects.get('a%20b') as Buffer
    expect((await get(url, { method: 'HEAD' })).header('content-length')).toBe('5000')
    expect((await get(url, { headers: { Range: 'bytes=10-19' } })).body.equals(whole.subarray(10, 20))).toBe(true)
    await expect.poll(async () => (await get(url)).header('cache-status')).toMatch(/fwd=stale; fwd-status=304/)
    expect((await get(at(larder, 'bucket', '/nope'))).status).toBe(404)
  })

  it.each([
    ['a wrong secret', { secretAccessKey: 'wrong' }],
    ['an unknown key', { accessKeyId: 'nobody' }],
  ])('%s is a 403, and the log says whose fault it is', async (_, more) => {
    const larder = await serve({ bucket: sigv4(more) })
    expect((await get(at(larder, 'bucket', '/plain'))).status).toBe(403)
    await larder.log((line) => line.msg === 'remote refuses our credentials' && line.status === 403)
  })
})
