import { expect, it } from 'vitest'
import { noise } from '../support/stage.js'
import { behindSocket } from './origin.js'

// Apart from the rest of C4, whose remote is played within the process: bodies of megabytes break off in that.
it.each([
  ['by length', {}, '4000000'],
  ['by chunks', { framing: 'chunked' }, undefined],
] as const)('C4: HEAD during a fill, framed %s: answered at once by the head of the fill', async (_, fault, length) => {
  const { origin, larder } = await behindSocket()
  origin.put('/a', noise(4_000_000))
  const gate = origin.hold('/a', 1_000_000, fault)
  const get = await larder.open('/a')
  await get.firstByte
  const head = await larder.head('/a')
  expect([head.status, head.header('content-length'), head.body.length]).toEqual([200, length, 0])
  expect(head.header('cache-status')).toBe('larder; fwd=uri-miss; stored; collapsed')
  expect(origin.requests).toHaveLength(1)
  gate.letGo()
  await get.finished
  expect(await larder.metric('larder_sent_bytes_total', { repository: 'raw' })).toBe(4_000_000)
})
