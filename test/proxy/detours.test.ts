import { describe, expect, it } from 'vitest'
import { noise } from '../support/stage.js'
import { behindSocket } from './origin.js'

const mebibyte = 1024 * 1024
const size = 40 * mebibyte

/** A fill that holds at 1 MiB while ranges are asked for; the remote's first answer alone is held. */
async function heldFill(rest: { etag?: string | false } = {}) {
  const { origin, larder } = await behindSocket()
  const body = origin.put('/a', noise(size), rest)
  const gate = origin.hold('/a', mebibyte, {}, 1)
  const first = await larder.open('/a', {}, { take: () => {} })
  await first.firstByte
  await gate.reached
  return { origin, larder, body, gate, first }
}

describe('C5: a range far ahead of the fill', () => {
  it('more than 32 MiB: one request of its own, bound to the version', async () => {
    const { origin, larder, body, gate, first } = await heldFill()
    const start = 36 * mebibyte
    const end = start + 99_999
    const range = await larder.get('/a', { range: `bytes=${start}-${end}` })
    expect([range.status, range.header('content-range')]).toEqual([206, `bytes ${start}-${end}/${size}`])
    expect(range.body.equals(body.subarray(start, end + 1))).toBe(true)
    const [fill, own] = origin.requests
    expect([origin.requests.length, fill?.headers.range]).toEqual([2, undefined])
    expect([own?.headers.range, own?.headers['if-match']]).toEqual([
      `bytes=${start}-${end}`,
      fill && origin.files.get('/a')?.etag,
    ])
    gate.letGo()
    expect((await first.finished).ended).toBe('end')
    await larder.settled()
    expect((await larder.get('/a', { range: 'bytes=-10' })).body.equals(body.subarray(-10))).toBe(true)
    expect(origin.requests).toHaveLength(2)
  })

  it('nearer: waits for the fill', async () => {
    const { origin, larder, body, gate } = await heldFill()
    const start = 20 * mebibyte
    const range = larder.get('/a', { range: `bytes=${start}-${start + 9}` })
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(2)
    expect(origin.requests).toHaveLength(1)
    gate.letGo()
    expect((await range).body.equals(body.subarray(start, start + 10))).toBe(true)
    expect(origin.requests).toHaveLength(1)
  })

  it.each([
    ['no ETag to bind it by', { etag: false }, undefined],
    ['a weak ETag', { etag: 'W/"x"' }, undefined],
    ['the remote refuses it', {}, { status: 503 }],
    ['the remote ignores ranges', {}, { status: 200, body: 'x'.repeat(1000) }],
  ] as const)('%s: the fill comes by', async (_, rest, fault) => {
    const { origin, larder, body, gate } = await heldFill(rest)
    if (fault) origin.plan('/a', fault, 1)
    const range = larder.get('/a', { range: 'bytes=-1000' })
    if (fault) await expect.poll(() => origin.requests.length).toBe(2)
    else await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(2)
    gate.letGo()
    expect((await range).body.equals(body.subarray(-1000))).toBe(true)
    expect(origin.requests).toHaveLength(fault ? 2 : 1)
  })

  it('one at a time per fill: a second far range waits', async () => {
    const { origin, larder, body, gate } = await heldFill()
    const held = origin.hold('/a', 500, {}, 1)
    const one = await larder.open('/a', { range: 'bytes=-1000' })
    await held.reached
    const two = larder.get('/a', { range: 'bytes=-2000' })
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(3)
    expect(origin.requests).toHaveLength(2)
    held.letGo()
    expect((await one.finished).body.equals(body.subarray(-1000))).toBe(true)
    gate.letGo()
    expect((await two).body.equals(body.subarray(-2000))).toBe(true)
    expect(origin.requests).toHaveLength(2)
  })
})
