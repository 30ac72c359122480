import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openStaging, type StagedBody } from '../../src/storage/staging.js'
import { isEmpty, noise, openUnder, settled, workDirectory } from './fixtures.js'

/** When a follower comes (before which chunk), and how much it reads at a time. */
const pace = fc.record({
  joins: fc.nat(24),
  reads: fc.integer({ min: 700, max: 40_000 }),
  starts: fc.nat(20_000),
  rests: fc.nat(3),
})
const run = fc.record({
  chunks: fc.array(fc.oneof(fc.nat(300), fc.nat(20_000), fc.nat(200_000)), { maxLength: 24 }),
  isAnnounced: fc.boolean(),
  outcome: fc.constantFrom('sealed', 'failed'),
  paces: fc.array(pace, { minLength: 1, maxLength: 6 }),
  turns: fc.nat(3),
})

it('C6: whatever the chunks and the paces, every follower reads the same bytes', async () => {
  const { path, remove } = await workDirectory()
  const staging = await openStaging(path)
  try {
    await fc.assert(
      fc.asyncProperty(run, async ({ chunks, isAnnounced, outcome, paces, turns }) => {
        const bytes = noise(chunks.reduce((sum, size) => sum + size, 0))
        const body = staging.create(isAnnounced ? bytes.length : undefined)
        const reads = new Map<(typeof paces)[number], Promise<Buffer>>()
        let at = 0
        for (const [i, size] of [...chunks, 0].entries()) {
          for (const one of paces) if (Math.min(one.joins, chunks.length) === i) reads.set(one, read(body, one))
          await body.append(bytes.subarray(at, at + size))
          at += size
          for (let rest = 0; rest < turns; rest += 1) await turn()
        }
        if (outcome === 'sealed') await body.seal()
        else body.fail(new Error('cut'))
        for (const [{ starts }, reading] of reads) {
          const got = await reading
          const expected = bytes.subarray(Math.min(starts, bytes.length))
          if (outcome === 'sealed') expect(got.equals(expected)).toBe(true)
          else expect(got.equals(expected.subarray(0, got.length))).toBe(true)
          if (outcome === 'failed' && isAnnounced && bytes.length > starts)
            expect(got.length).toBeLessThan(expected.length)
        }
        await body.release()
      }),
      { numRuns: 300 },
    )
    expect(await settled(() => openUnder(path), isEmpty)).toEqual([])
  } finally {
    await remove()
  }
})

/** Reads from `starts` on to the end or the failure. */
async function read(body: StagedBody, { starts, reads, rests }: { starts: number; reads: number; rests: number }) {
  const follower = body.follow()
  const parts: Buffer[] = []
  try {
    for (let at = starts; ; ) {
      const into = Buffer.alloc(reads)
      const count = await follower.read(into, at)
      if (count === 0) return Buffer.concat(parts)
      parts.push(into.subarray(0, count))
      at += count
      for (let rest = 0; rest < rests; rest += 1) await turn()
    }
  } catch {
    return Buffer.concat(parts)
  } finally {
    follower.close()
  }
}
