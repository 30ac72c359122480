import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { startOrigin } from '../support/origin.js'
import { draft, steps, take } from './cache-actions.js'
import { CacheRun } from './cache-run.js'
import { hanging, limits, testTimeout } from './limits.js'

const rules = { maxAge: 60, maxStale: 600 }

describe('C6, C7, K2, K3, K5, K6: whatever happens to the remote and among the clients', () => {
  it.each([
    ['validating before it answers', 0, {}],
    ['answering stale while it validates', 20, {}],
    ['evicting most of what it stores', 0, { LARDER_MAX_SIZE: '1MiB' }],
  ])(
    '%s: every answer is whole, of a version the remote had, and as new as promised',
    async (_, staleWhileRevalidate, env) => {
      const clock = stopClock()
      const origin = await startOrigin()
      onTestFinished(() => origin.stop())
      const settings = {
        maxAge: `${rules.maxAge}s`,
        maxStale: `${rules.maxStale}s`,
        staleWhileRevalidate: `${staleWhileRevalidate}s`,
        negative: { ttl: '20s', forbiddenTtl: '5s' },
      }
      const larder = await inFront(origin.url, settings, env)
      const reload = () => larder.reconfigure(origin.url, settings)
      const stage = {
        origin,
        larder,
        clock,
        reload,
        rules: { ...rules, staleWhileRevalidate },
        keeps: !('LARDER_MAX_SIZE' in env),
      }
      let runs = 0
      await fc.assert(
        fc.asyncProperty(fc.tuple(draft, draft), steps, async (drafts, taken) => {
          runs += 1
          const paths = drafts.map((_, i) => `/${runs}/${i}`)
          const run = new CacheRun(stage, paths)
          for (const [i, first] of drafts.entries()) run.history.release(paths[i] ?? '', first)
          for (const step of taken) await take(run, step)
          await run.calm()
          expect(run.faults).toEqual([])
        }),
        { ...limits(50, 15), timeout: hanging },
      )
    },
    testTimeout(15),
  )
})
