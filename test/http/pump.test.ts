import type { ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { createBufferPool, pump } from '../../src/http/pump.js'
import type { OpenBody } from '../../src/storage/blob-store.js'
import { noise } from '../support/stage.js'

it('C6: a slow client holds on to a bounded part of what is in memory', async () => {
  const bytes = noise(2_000_000)
  const spans: number[] = []
  const body: OpenBody = {
    read: async () => 0,
    peek(position, end) {
      const part = bytes.subarray(position, end)
      spans.push(part.length)
      return part.length > 0 ? [part] : []
    },
    close() {},
  }
  const client = new PassThrough()
  const received: Buffer[] = []
  client.on('data', (chunk: Buffer) => received.push(chunk))
  const response = client as unknown as ServerResponse
  const range = { start: 0, end: bytes.length - 1 }
  await pump({ response, body, range, pool: createBufferPool(), begin: () => {}, sent: () => {} })
  expect(Math.max(...spans)).toBeLessThanOrEqual(256 * 1024)
  expect(Buffer.concat(received).equals(bytes)).toBe(true)
})
