import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rawEnding } from '../support/http.js'
import type { InProcess } from '../support/in-process.js'
import type { Fault } from '../support/origin.js'
import { filesUnder, noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'

const md5 = (body: Buffer) => createHash('md5').update(body)
const hit = async (larder: InProcess) => /^larder; hit/.test((await larder.get('/a')).header('cache-status') ?? '')

describe('U4: what a body must keep to be stored', () => {
  const body = noise(100_000)
  const hex = md5(body).digest('hex')
  const wrong = createHash('md5').update('other').digest()
  const sha256 = createHash('sha256').update('other').digest('base64')
  const plain = { etag: false as const }

  it.each([
    ['nothing promised', plain, true],
    ['an S3 ETag', {}, true],
    ['an S3 ETag of several parts', { etag: `"${hex}-12"` }, true],
    ['Content-MD5', { ...plain, headers: { 'Content-MD5': md5(body).digest('base64') } }, true],
    ['an S3 ETag of other bytes', { etag: `"${wrong.toString('hex')}"` }, false],
    [
      'a KMS key, so the ETag is no MD5',
      { etag: `"${wrong.toString('hex')}"`, headers: { 'x-amz-server-side-encryption': 'aws:kms' } },
      true,
    ],
    [
      'a customer’s key',
      { etag: `"${wrong.toString('hex')}"`, headers: { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' } },
      true,
    ],
    ['Content-MD5 of other bytes', { ...plain, headers: { 'Content-MD5': wrong.toString('base64') } }, false],
    ['Repr-Digest of other bytes', { ...plain, headers: { 'Repr-Digest': `sha-256=:${sha256}:` } }, false],
    ['x-amz-checksum-sha256 of other bytes', { ...plain, headers: { 'x-amz-checksum-sha256': sha256 } }, false],
  ])('%s', async (_, rest, kept) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', body, rest)
    const gate = origin.hold('/a', 50_000, {}, 1)
    const client = await larder.open('/a')
    await until(() => client.received() === 50_000, 'the client has the first half')
    gate.letGo()
    const cold = await client.finished
    expect([client.status, cold.ended, cold.body.length < body.length]).toEqual([200, kept ? 'end' : 'broken', !kept])
    await larder.settled()
    const result = kept ? 'complete' : 'failed'
    expect(await larder.metric('larder_fills_total', { repository: 'raw', result })).toBe(1)
    if (!kept) {
      expect(larder.logs).toContainEqual(expect.objectContaining({ msg: 'fill failed', code: 'INTEGRITY_MISMATCH' }))
      origin.put('/a', body)
    }
    expect((await larder.warm('/a')).body.equals(body)).toBe(true)
    expect(origin.count('/a')).toBe(kept ? 1 : 2)
  })

  it('a body closed by its connection is served, but stored only if a checksum proves it', async () => {
    for (const [rest, kept] of [
      [plain, false],
      [{}, true],
    ] as const) {
      const { origin, larder } = await behindSocket()
      origin.put('/a', body, rest)
      origin.plan('/a', { framing: 'close' })
      const cold = await larder.warm('/a')
      expect([cold.body.equals(body), cold.ended]).toEqual([true, 'end'])
      expect(await hit(larder)).toBe(kept)
    }
  })

  it('an empty body is an artifact like any other', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', '')
    for (const { status, header, body: got } of [await larder.warm('/a'), await larder.get('/a')]) {
      expect([status, header('content-length'), got.length]).toEqual([200, '0', 0])
    }
    expect(origin.count('/a')).toBe(1)
  })
})

describe('C7: the client can’t take a broken body for a whole one', () => {
  const wrong = { headers: { 'Content-MD5': md5(Buffer.from('other')).digest('base64') }, etag: false as const }

  it.each([
    ['0 bytes', 0],
    ['1 byte', 1],
  ])('nothing went out yet (%s): 502', async (_, size) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(size), wrong)
    const { status, header, body, ended } = await larder.get('/a')
    expect([status, header('x-larder-error'), body.length, ended]).toEqual([502, 'INTEGRITY_MISMATCH', 0, 'end'])
  })

  it.each([
    ['by length', {}],
    ['by chunks', { framing: 'chunked' }],
    ['by the end of the connection', { framing: 'close' }],
  ] as [string, Fault][])('framed %s: reset, its end withheld', async (_, fault) => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(300_000), wrong)
    const gate = origin.hold('/a', 100_000, fault)
    const plainReader = rawEnding(larder.at('/a'))
    await gate.reached
    const followers = await Promise.all(Array.from({ length: 4 }, () => larder.open('/a')))
    await until(() => followers.every((client) => client.received() === 100_000), 'all have what came')
    gate.letGo()
    for (const { finished } of followers) {
      const { ended, body: got } = await finished
      expect([ended, body.subarray(0, got.length).equals(got)]).toEqual(['broken', true])
      // Where no length was told the end itself is what is withheld.
      if (fault.framing === undefined) expect(got.length).toBeLessThan(body.length)
    }
    expect(await plainReader).toBe('reset')
    expect((await larder.accessLog(5)).map(({ code, abortedBy }) => [code, abortedBy])).toEqual(
      Array(5).fill(['INTEGRITY_MISMATCH', 'us']),
    )
  })

  it('a staged file that can’t be removed afterwards is logged, and takes nothing else down', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(300_000), wrong)
    const gate = origin.hold('/a', 100_000)
    const client = await larder.open('/a')
    await until(() => client.received() === 100_000, 'the client has what came')
    const [file = ''] = await filesUnder(join(larder.data, 'staging'))
    await rm(file)
    await mkdir(file)
    gate.letGo()
    expect((await client.finished).ended).toBe('broken')
    await until(() => larder.logs.some(({ msg }) => String(msg).startsWith('cannot store')), 'the log tells of it')
    expect((await larder.get('/b')).status).toBe(404)
  })

  it('the last byte waits for the remote’s last byte, and for nothing else', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(100_000))
    const gate = origin.hold('/a', 99_999)
    const client = await larder.open('/a')
    await until(() => client.received() === 99_999, 'all but the last byte came')
    gate.letGo()
    expect((await client.finished).body.equals(body)).toBe(true)
  })
})
