import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Received } from '../support/http.js'
import { inFront } from '../support/in-process.js'
import { startOrigin } from '../support/origin.js'
import { noise } from '../support/stage.js'
import { limits } from './limits.js'

const sizes = [1, 5, 300, 16 * 1024, 16 * 1024 + 1, 150_000]

/** A bound near the ends and the middle of a body of `size` bytes. */
const boundOf = (size: number) =>
  fc.oneof(
    fc.nat(size + 2),
    fc.constantFrom(0, 1, size - 1, size, size + 1, size * 3).map((at) => Math.max(0, at)),
  )

const specOf = (size: number) => {
  const bound = boundOf(size)
  return fc.oneof(
    fc.tuple(bound, bound).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    bound.map((start) => `${start}-`),
    bound.map((length) => `-${length}`),
  )
}

const asked = fc
  .constantFrom(...sizes)
  .chain((size) =>
    fc.record({ size: fc.constant(size), specs: fc.array(specOf(size), { minLength: 1, maxLength: 18 }) }),
  )

interface Part {
  readonly start: number
  readonly bytes: Buffer
}

/** The parts of an answer, by what it says of itself. */
function partsOf(answer: Received): Part[] {
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(answer.header('content-type') ?? '')?.[1]
  if (boundary === undefined) return [{ start: startOf(answer.header('content-range') ?? ''), bytes: answer.body }]
  const pieces = answer.body.toString('latin1').split(`\r\n--${boundary}`)
  expect([pieces.shift(), pieces.pop()]).toEqual(['', '--\r\n'])
  return pieces.map((piece) => {
    const head = piece.slice(0, piece.indexOf('\r\n\r\n') + 2)
    const bytes = Buffer.from(piece.slice(head.length + 2), 'latin1')
    return { start: startOf(/\r\nContent-Range: ([^\r]*)\r\n/.exec(head)?.[1] ?? ''), bytes }
  })
}

function startOf(contentRange: string): number {
  const [, start] = /^bytes (\d+)-\d+\/\d+$/.exec(contentRange) ?? []
  expect([contentRange, start]).not.toContain(undefined)
  return Number(start)
}

/** Every byte that was asked for, as a bit each. */
function wanted(specs: readonly string[], size: number): Uint8Array {
  const bits = new Uint8Array(size)
  for (const spec of specs) {
    const [first = '', last = ''] = spec.split('-')
    const start = first === '' ? size - Math.min(size, Number(last)) : Number(first)
    bits.fill(1, start, first === '' || last === '' ? size : Math.min(size, Number(last) + 1))
  }
  return bits
}

/** Every byte that was served, as a bit each; the bytes themselves are looked at on the way. */
function servedBits(answer: Received, body: Buffer): Uint8Array {
  const bits = new Uint8Array(body.length)
  for (const { start, bytes } of partsOf(answer)) {
    expect(bytes.equals(body.subarray(start, start + bytes.length))).toBe(true)
    bits.fill(1, start, start + bytes.length)
  }
  return bits
}

describe('C5: the parts of an answer, put together', () => {
  it.each([
    ['from the store', true],
    ['while the fill comes in', false],
  ])('%s, are the bytes that were asked for', async (_, isWarm) => {
    const origin = await startOrigin()
    onTestFinished(() => origin.stop())
    const larder = await inFront(origin.url)
    const bodies = new Map(sizes.map((size) => [size, origin.put(`/${size}.bin`, noise(size))]))
    if (isWarm) for (const size of sizes) await larder.warm(`/${size}.bin`)
    let fresh = 0
    await fc.assert(
      fc.asyncProperty(asked, async ({ size, specs }) => {
        fresh += 1
        const path = `/${size}.bin${isWarm ? '' : `?${fresh}`}`
        const body = bodies.get(size) ?? Buffer.alloc(0)
        const answer = await larder.get(path, { Range: `bytes=${specs.join(', ')}` })
        const bits = wanted(specs, size)
        expect([answer.ended, answer.header('etag')]).toEqual(['end', origin.files.get(`/${size}.bin`)?.etag])
        expect(Number(answer.header('content-length'))).toBe(answer.body.length)
        if (answer.status === 200) {
          expect(answer.body.equals(body)).toBe(true)
        } else if (answer.status === 416) {
          expect([bits.includes(1), answer.body.length]).toEqual([false, 0])
        } else {
          expect(answer.status).toBe(206)
          expect(Buffer.compare(servedBits(answer, body), bits)).toBe(0)
        }
      }),
      limits(150, 15),
    )
  })
})
