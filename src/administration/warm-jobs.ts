import { setMaxListeners } from 'node:events'
import { withoutQueryValues } from '../caching/cache-key.js'
import type { Repository } from '../caching/repository.js'
import { isLarderError, type LarderError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import { createPace } from '../proxy/pace.js'
import type { Incoming, Warming } from '../proxy/warm.js'
import type { WarmOrder } from '../warming/order.js'
import type { Place } from '../warming/places.js'
import { planWarmUp, type Surroundings } from '../warming/plan.js'
import { fairly } from './fair-queue.js'
import type { TaskContext, Tasks } from './tasks.js'
import type { Task } from './views.js'
import type { WarmFill, WarmItem } from './warm-views.js'

export interface WarmJobs {
  /** Throws `TASK_RUNNING` where too many run, `SHUTTING_DOWN`. `ended` never rejects. */
  start(
    order: WarmOrder,
    options?: { readonly dryRun?: boolean },
  ): { readonly task: Task; readonly ended: Promise<void> }
  /** `undefined` where that is no warm-up, or one long past. */
  report(id: string): { readonly items: readonly WarmItem[]; filling(): readonly WarmFill[] } | undefined
}

export interface WarmJobsDeps {
  readonly tasks: Tasks
  readonly warming: Warming
  readonly repositories: () => readonly Repository[]
  readonly find: (nameOrAlias: string) => Repository | undefined
  readonly metrics: Metrics
}

/** Warm-ups at a time: pipelines of several teams may each have theirs. */
const atOnce = 16

/** Warm-ups that have ended and whose items are remembered. */
const kept = 20

/** Bytes of an artifact that lists others. */
const longestList = 64 * 1024 * 1024

interface Job {
  readonly items: WarmItem[]
  readonly fills: Map<string, Incoming>
  isOver: boolean
}

export function createWarmJobs(deps: WarmJobsDeps): WarmJobs {
  const { tasks, metrics } = deps
  const jobs = new Map<string, Job>()

  const forgetOldest = () => {
    const over = [...jobs].filter(([, { isOver }]) => isOver)
    for (const [id] of over.slice(0, -kept)) jobs.delete(id)
  }

  return {
    start(order, { dryRun = false } = {}) {
      const job: Job = { items: [], fills: new Map(), isOver: false }
      let end = () => {}
      const ended = new Promise<void>((resolve) => {
        end = resolve
      })
      const work = async (context: TaskContext) => {
        try {
          const failed = await carryOut(deps, order, job, { ...context, dryRun })
          metrics.warmJobs.inc({ result: failed > 0 ? 'incomplete' : 'ready' })
        } catch (error) {
          metrics.warmJobs.inc({ result: context.signal.aborted ? 'cancelled' : 'failed' })
          throw error
        } finally {
          job.isOver = true
          end()
        }
      }
      forgetOldest()
      const task = tasks.start('warm', work, atOnce)
      jobs.set(task.id, job)
      return { task, ended }
    },

    report(id) {
      const job = jobs.get(id)
      return job && { items: job.items, filling: () => fillsOf(job) }
    },
  }
}

const fillsOf = ({ fills }: Job): WarmFill[] =>
  [...fills].map(([item, { received, size }]) => ({
    ...{ item: withoutQueryValues(item), received: received(), size: size ?? null },
  }))

/** Resolves with how many failed. */
async function carryOut(
  deps: WarmJobsDeps,
  order: WarmOrder,
  job: Job,
  context: TaskContext & { readonly dryRun: boolean },
): Promise<number> {
  const { signal, progress, found, dryRun } = context
  setMaxListeners(0, signal)
  const counters = { items: 0, ready: 0, failed: 0, bytes: 0 }
  const done = (item: WarmItem) => {
    job.items.push(item)
    if (item.state !== 'listed') counters[item.state] += 1
    if (item.how === 'fetched') counters.bytes += item.bytes ?? 0
    progress(counters)
    if (item.reason !== null) found(finding(item.item, item.reason))
  }

  progress(counters)
  const { places, misfits } = await planWarmUp(order, surroundingsOf(deps, signal))
  counters.items = places.length + misfits.length
  for (const { item, error } of misfits) done(failed(item, error))
  if (dryRun) for (const place of places) done({ ...blank(nameOf(place)), state: 'listed' })
  else {
    const pace = order.rate === undefined ? undefined : createPace(order.rate)
    const groupOf = ({ repository }: Place) => repository.name
    await fairly(places, { groupOf, width: order.concurrency }, async (place) => {
      done(await warm(deps, place, job, { signal, pace }))
    })
  }
  progress(counters)
  return counters.failed
}

async function warm(
  { warming, metrics }: WarmJobsDeps,
  { repository, target }: Place,
  { fills }: Job,
  options: Pick<Parameters<Warming['ensure']>[0], 'signal' | 'pace'>,
): Promise<WarmItem> {
  const item = nameOf({ repository, target })
  const incoming = (body: Incoming) => void fills.set(item, body)
  const told = (result: string) => metrics.warmItems.inc({ repository: repository.name, result })
  try {
    const warmed = await warming.ensure({ repository, target, incoming, ...options })
    told(warmed.kind === 'ready' ? warmed.how : 'failed')
    if (warmed.kind === 'failed') return failed(item, warmed.error)
    return { ...blank(item), state: 'ready', how: warmed.how, bytes: warmed.bytes }
  } catch (error) {
    if (!isLarderError(error) || options.signal.aborted) throw error
    told('failed')
    return failed(item, error)
  } finally {
    fills.delete(item)
  }
}

const surroundingsOf = ({ warming, repositories, find }: WarmJobsDeps, signal: AbortSignal): Surroundings => ({
  repositories,
  find,
  read: (place, validated) => warming.read({ ...place, validated, signal, most: longestList }),
})

const nameOf = ({ repository, target }: Place) => repository.name + target

const blank = (item: string): WarmItem => ({
  ...{ item: withoutQueryValues(item), state: 'ready', how: null, bytes: null, reason: null, detail: null },
})

const failed = (item: string, { code, message }: LarderError): WarmItem => ({
  ...{ ...blank(item), state: 'failed', reason: code, detail: message },
})

function finding(item: string, reason: string) {
  const slash = item.indexOf('/')
  const [repository, path] = slash === -1 ? ['', item] : [item.slice(0, slash), item.slice(slash + 1)]
  return { repository, path, sha256: null, reason }
}
