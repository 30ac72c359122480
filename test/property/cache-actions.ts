import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Fault } from '../support/origin.js'
import type { CacheRun } from './cache-run.js'

const path = fc.nat(1)
const size = fc.constantFrom(0, 1, 100, 16 * 1024, 16 * 1024 + 1, 70_000, 500_000)
export const draft = fc.record({
  size,
  tag: fc.constantFrom('md5', 'own', 'weak', 'none'),
  isDated: fc.boolean(),
  knowsRanges: fc.boolean(),
})

/** Of the body, where the fault happens. */
const share = fc.constantFrom(0, 0.3, 0.9, 1)

const get = fc.record({
  do: fc.constant('get'),
  path,
  range: fc.constantFrom(undefined, undefined, 'bytes=0-9', 'bytes=-5', 'bytes=50-20000', 'bytes=999999-'),
})
/** What happens however well the remote is. */
const everyday = [
  { weight: 8, arbitrary: get },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('head'), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revalidate'), path }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release'), path, draft }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('frame'), path, framing: fc.constantFrom('chunked', 'close') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hold'), path, share: fc.constantFrom(-1, 0, 0.5) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('open'), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave'), who: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answered') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('purge'), path, soft: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reload') }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('pass'), seconds: fc.constantFrom(5, 25, 61, 100), quiet: fc.boolean() }),
  },
] as const

/** What is wrong with the remote. */
const troubles = [
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('refuse'), path, status: fc.constantFrom(403, 404, 429, 500, 503) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('break'),
      path,
      how: fc.constantFrom('cut', 'reset', 'wrongLength'),
      share,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('die', 'revive') }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass'), seconds: fc.constantFrom(25, 700), quiet: fc.boolean() }),
  },
] as const

const action = fc.oneof(...everyday, ...troubles)

/** Something happens, and so many turns of the event loop go by before the next does. */
const listOf = <A>(each: fc.Arbitrary<A>) =>
  fc.array(fc.record({ action: each, turns: fc.constantFrom(0, 0, 1, 3, 20) }), {
    minLength: 1,
    maxLength: 40,
    size: 'max',
  })

/** A remote that is well excuses nothing, so every other run has one. */
export const steps = fc.oneof(listOf(action), listOf(fc.oneof(...everyday)))

type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

interface Step {
  readonly action: Action
  readonly turns: number
}

export async function take(run: CacheRun, { action: next, turns }: Step): Promise<void> {
  await act(run, next)
  for (let i = 0; i < turns; i += 1) await turn()
}

async function act(run: CacheRun, next: Action): Promise<void> {
  const at = 'path' in next ? (run.paths[next.path] as string) : ''
  const { origin } = run.stage
  switch (next.do) {
    case 'get':
      return run.ask(at, 'GET', next.range === undefined ? {} : { Range: next.range })
    case 'head':
      return run.ask(at, 'HEAD', {})
    case 'revalidate':
      return run.ask(at, 'GET', { 'If-None-Match': run.history.newest(at)?.etag ?? '"none"' })
    case 'release':
      return run.history.release(at, next.draft)
    case 'refuse':
      return origin.plan(at, { status: next.status, headers: { Date: new Date().toUTCString() } }, 1)
    case 'break':
      // Of nothing nothing can be cut but the connection, and that is another's next.
      return run.history.newest(at)?.body.length === 0 ? undefined : origin.plan(at, breakage(run, at, next), 1)
    case 'frame':
      return origin.plan(at, { framing: next.framing }, 1)
    case 'hold':
      if (!run.gates.has(at) && !run.isDead) run.gates.set(at, origin.hold(at, offset(run, at, next.share), {}, 1))
      return
    case 'open':
      return run.open(at)
    case 'leave':
      return run.leave(next.who)
    case 'die':
      return run.isDead ? undefined : run.die()
    case 'revive':
      return run.isDead ? run.revive() : undefined
    case 'pass':
      if (next.quiet) await run.quiet()
      return run.pass(next.seconds)
    case 'answered':
      return run.answered()
    case 'purge':
      return run.purge([at], next.soft)
    case 'reload':
      return run.reload()
  }
}

/** Behind the head of an empty body there is nothing to wait for: the client takes it for whole. */
function offset(run: CacheRun, at: string, part: number): number {
  const length = run.history.newest(at)?.body.length ?? 0
  return part < 0 || length === 0 ? -1 : Math.floor(length * part)
}

function breakage(run: CacheRun, at: string, { how, share: part }: { how: string; share: number }): Fault {
  const length = run.history.newest(at)?.body.length ?? 0
  if (how === 'wrongLength') return { wrongLength: length + 10 }
  const after = Math.min(offset(run, at, part), Math.max(0, length - 1))
  return how === 'cut' ? { cut: after } : { reset: after }
}
