import fc from 'fast-check'
import { expect, it } from 'vitest'
import { copyOut, slices, withoutFirst } from '../../src/storage/chunks.js'
import { limits } from './limits.js'

const chunks = fc.array(fc.uint8Array({ maxLength: 12 }), { maxLength: 8 })
const position = fc.nat(60)

it('C6: what is read out of chunks is what they are in a row', () => {
  fc.assert(
    fc.property(chunks, position, position, fc.nat(30), (given, start, end, room) => {
      const row = Buffer.concat(given)
      const views = slices(given, start, end)
      expect(Buffer.concat(views).equals(row.subarray(start, Math.max(start, end)))).toBe(true)
      expect(views.every(({ length }) => length > 0)).toBe(true)
      const into = Buffer.alloc(room, 0xff)
      const copied = copyOut(given, into, start, room)
      expect(copied).toBe(Math.min(room, Math.max(0, row.length - start)))
      expect(into.subarray(0, copied).equals(row.subarray(start, start + copied))).toBe(true)
      expect(into.subarray(copied).every((byte) => byte === 0xff)).toBe(true)
    }),
    limits(2000, 10),
  )
})

it('K7: after a short write, what is left is what was not written', () => {
  fc.assert(
    fc.property(chunks, fc.double({ min: 0, max: 1, noNaN: true }), (given, share) => {
      const row = Buffer.concat(given)
      const written = Math.floor(row.length * share)
      expect(Buffer.concat(withoutFirst(given, written)).equals(row.subarray(written))).toBe(true)
    }),
    limits(1000, 10),
  )
})
