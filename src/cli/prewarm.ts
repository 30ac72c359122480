import { setTimeout as sleep } from 'node:timers/promises'
import type { Task } from '../administration/views.js'
import type { WarmItem, WarmState } from '../administration/warm-views.js'
import type { WarmOrder } from '../warming/order.js'
import type { ApiClient } from './api-client.js'
import { type OrderOptions, orderOf } from './prewarm-order.js'
import { failure, listedLine, type Show, showBars, showJson, showLines } from './prewarm-show.js'
import { CommandFailed, Refused, size, type Terminal, Unreachable } from './terminal.js'

export interface PrewarmOptions extends OrderOptions {
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** Milliseconds a server that was lost may take to come back: a restart. */
const patience = 60_000
const glance = 1_000

/** Failures that are repeated at the end. */
const mostRepeated = 50

/** Has the server make artifacts ready, and tells of it. Throws `CommandFailed` where not all are. */
export async function prewarm(
  api: ApiClient,
  terminal: Terminal,
  words: readonly string[],
  options: PrewarmOptions,
): Promise<void> {
  const order = await orderOf(words, options, terminal)
  if (options.dryRun) return dryRun(api, terminal, order, options.json === true)
  const show = options.json ? showJson(terminal) : terminal.interactive ? await showBars(terminal) : showLines(terminal)
  const began = performance.now()
  const run = new Run(api, show)
  const stopListening = terminal.onInterrupt(() => run.cancel())
  try {
    await run.toTheEnd({ ...order, dryRun: false })
  } finally {
    stopListening()
    show.end()
  }
  conclude(run, terminal, { seconds: Math.round((performance.now() - began) / 1000), asJson: options.json === true })
}

async function dryRun(api: ApiClient, terminal: Terminal, order: WarmOrder, asJson: boolean): Promise<void> {
  const run = new Run(api, {
    item: (item) => {
      if (item.reason === null) terminal.out(asJson ? `${JSON.stringify(item)}\n` : listedLine(item))
    },
    progress() {},
    note: terminal.err,
    end() {},
  })
  await run.toTheEnd({ ...order, dryRun: true })
  throwIfUnready(run)
}

/** One warm-up, over as many of the server's lives as it takes. */
class Run {
  /** By item; what was fetched once stays so, although the server finds it present after a restart. */
  readonly results = new Map<string, WarmItem>()
  /** Until the progress behind them says how many there are. */
  private readonly untold: WarmItem[] = []
  task: Task | undefined
  isCancelled = false

  constructor(
    readonly api: ApiClient,
    readonly show: Show,
  ) {}

  cancel(): void {
    this.isCancelled = true
    // It ends with the server's word that it is cancelled; a server that is gone has nothing to cancel.
    if (this.task) this.api.delete(`/tasks/${this.task.id}`).catch(() => undefined)
  }

  /** Resolves when the server has ended it. */
  async toTheEnd(order: WarmOrder & { readonly dryRun: boolean }): Promise<void> {
    this.task = await this.api.post<Task>('/warm', order)
    if (this.isCancelled) this.cancel()
    let last = '0'
    let lostAt: number | undefined
    while (this.task.state === 'running') {
      try {
        for await (const { event, id, data } of this.api.events(`/warm/${this.task.id}/events`, last)) {
          if (lostAt !== undefined) this.show.note('the server is back')
          lostAt = undefined
          if (event === 'item') last = id
          this.hear(event, data)
        }
        if (this.task.state === 'running') throw new Unreachable('the server ended the connection')
      } catch (error) {
        const isNew = error instanceof Refused && error.code === 'TASK_UNKNOWN'
        if (!isNew && !(error instanceof Unreachable)) throw error
        if (this.isCancelled) throw new CommandFailed('cancelled, and the server is gone')
        if (isNew) {
          this.show.note('the server was started anew: asking again for all, what is ready is skipped')
          last = '0'
          lostAt = undefined
          this.task = await this.again(order)
          continue
        }
        if (lostAt === undefined) this.show.note(`lost the server (${error.message}); waiting for it to come back`)
        lostAt ??= performance.now()
        if (performance.now() - lostAt > patience) throw this.givenUp()
        await sleep(glance)
      }
    }
  }

  /** A server that is lost again right now is waited for as before. */
  private async again(order: WarmOrder & { readonly dryRun: boolean }): Promise<Task> {
    const until = performance.now() + patience
    for (;;) {
      try {
        return await this.api.post<Task>('/warm', order)
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error
        if (performance.now() > until) throw this.givenUp()
        await sleep(glance)
      }
    }
  }

  private givenUp(): CommandFailed {
    const { ready } = this.counts()
    return new CommandFailed(
      `the server did not come back within ${patience / 1000} s; ${ready} were ready. Run it again to go on: what is ready is skipped`,
    )
  }

  counts() {
    const items = [...this.results.values()]
    const failed = items.filter(({ state }) => state === 'failed')
    const fetched = items.filter(({ how }) => how === 'fetched')
    return {
      ...{ ready: items.filter(({ state }) => state === 'ready').length, failed, fetched: fetched.length },
      bytes: fetched.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    }
  }

  private hear(event: string, data: string): void {
    if (event === 'item') this.untold.push(JSON.parse(data) as WarmItem)
    if (event !== 'progress') return
    const state = JSON.parse(data) as WarmState
    this.task = state.task
    for (const item of this.untold.splice(0)) this.tell(item)
    this.show.progress(state)
  }

  private tell(item: WarmItem): void {
    const before = this.results.get(item.item)
    if (before && before.state === item.state) return
    this.results.set(item.item, item)
    this.show.item(item, { done: this.results.size, all: Math.max(this.task?.progress.items ?? 0, this.results.size) })
  }
}

function conclude(run: Run, terminal: Terminal, { seconds, asJson }: { seconds: number; asJson: boolean }): void {
  const { ready, failed, fetched, bytes } = run.counts()
  const state = run.task?.state ?? 'failed'
  if (asJson) {
    const summary = { event: 'end', state, ready, failed: failed.length, fetched, bytes, seconds }
    terminal.out(`${JSON.stringify(summary)}\n`)
  } else {
    const some = failed.length > 0 ? `, ${failed.length} failed` : ''
    terminal.out(
      `${ready} ready${some}: ${fetched} fetched (${size(bytes)}), ${ready - fetched} were here; ${seconds} s\n`,
    )
  }
  throwIfUnready(run)
}

function throwIfUnready(run: Run): void {
  const { task } = run
  if (task?.state === 'cancelled' && !run.isCancelled) {
    throw new CommandFailed('cancelled on the server, by somebody else or because it stops; run it again to go on')
  }
  if (task?.state === 'cancelled') {
    throw new CommandFailed('cancelled; downloads under way are finished by the server, and skipped the next time')
  }
  if (task?.state === 'failed') throw new CommandFailed(`the warm-up failed: ${task.error}`)
  const { failed } = run.counts()
  if (failed.length === 0) return
  const named = failed.slice(0, mostRepeated).map((item) => `  ${failure(item)}\n`)
  const more = failed.length > mostRepeated ? `  and ${failed.length - mostRepeated} more\n` : ''
  throw new CommandFailed(`${failed.length} failed\n${named.join('')}${more}`.trimEnd())
}
