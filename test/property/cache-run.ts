import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { settled as eventually, isEmpty, openUnder } from '../storage/fixtures.js'
import { administer } from '../support/admin.js'
import type { Exchange, Received } from '../support/http.js'
import type { InProcess } from '../support/in-process.js'
import type { Gate, Origin } from '../support/origin.js'
import { type Asked, judge, longestNote, type Rules } from './judge.js'
import { RemoteHistory, type Version } from './remote-history.js'

interface Client {
  readonly asked: Asked
  /** Of its path, by the time it asked. */
  readonly purges: number
  exchange: Exchange | undefined
  hasLeft: boolean
  readonly done: Promise<void>
}

export interface Stage {
  readonly origin: Origin
  readonly larder: InProcess
  readonly clock: { pass(seconds: number): Promise<void> }
  /** Reads the configuration anew. */
  reload(): Promise<void>
  readonly rules: Rules
  /** Whether what is stored stays: not where a size cap evicts. */
  readonly keeps: boolean
}

/** One run of the property: clients, a remote with a history, and what is wrong with the answers so far. */
export class CacheRun {
  readonly history: RemoteHistory
  readonly faults: string[] = []
  readonly gates = new Map<string, Gate>()
  isDead = false
  readonly #clients = new Set<Client>()
  /** The newest version any client had whole, by path. */
  readonly #seen = new Map<string, number>()
  readonly #kept = new Map<string, Version>()
  readonly #purged = new Map<string, number>()
  readonly #softlyPurged = new Map<string, number>()
  readonly #purges = new Map<string, number>()

  constructor(
    readonly stage: Stage,
    readonly paths: readonly string[],
  ) {
    this.history = new RemoteHistory(stage.origin)
  }

  /** Sends a request and goes on; its answer is judged when it is through. */
  ask(path: string, method: 'GET' | 'HEAD', headers: Readonly<Record<string, string>>): void {
    if (this.isDead) this.history.noteTrouble()
    const asked: Asked = {
      path,
      method,
      headers,
      at: Date.now(),
      atLeast: this.#seen.get(path) ?? 0,
      kept: this.stage.keeps ? this.#kept.get(path) : undefined,
      purged: this.#purged.get(path) ?? 0,
      softlyPurged: this.#softlyPurged.get(path) ?? 0,
    }
    const opened = this.stage.larder.open(path, headers, { method })
    const client: Client = {
      asked,
      purges: this.#purgesOf(path),
      exchange: undefined,
      hasLeft: false,
      done: opened.then(
        async (exchange) => {
          client.exchange = exchange
          if (client.hasLeft) exchange.destroy()
          this.#through(client, { ...exchange, ...(await exchange.finished) })
        },
        (error: Error) => this.#notAnswered(client, error),
      ),
    }
    this.#clients.add(client)
  }

  /** The n-th of those who still wait goes. */
  leave(n: number): void {
    const clients = [...this.#clients]
    const client = clients[n % Math.max(1, clients.length)]
    if (!client) return
    client.hasLeft = true
    client.exchange?.destroy()
  }

  /** Waits until everyone is answered; whoever waits for a gate waits on. */
  async answered(): Promise<void> {
    const free = [...this.#clients].filter(({ asked }) => !this.gates.has(asked.path))
    await Promise.all(free.map(({ done }) => done))
  }

  /** Waits until nothing is under way, where nothing waits for a gate. */
  async quiet(): Promise<void> {
    if (this.gates.size > 0) return
    await this.answered()
    await this.stage.larder.settled()
  }

  open(path: string): void {
    this.gates.get(path)?.letGo()
    this.gates.delete(path)
  }

  async die(): Promise<void> {
    this.isDead = true
    this.gates.clear()
    this.history.noteTrouble('*', true)
    await this.stage.origin.stop()
  }

  async revive(): Promise<void> {
    this.history.noteTrouble()
    this.isDead = false
    await this.stage.origin.start()
  }

  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < 30; i += 1) await turn()
    const asked = [...this.#clients].map((client) => client.asked.at)
    const isBusy = (await this.stage.larder.metric('larder_fills_in_flight')) > 0
    const since = Math.min(...asked, isBusy ? Date.now() : Number.POSITIVE_INFINITY)
    await this.stage.clock.pass(seconds)
    this.history.arrivedOnly(since)
  }

  reload(): Promise<void> {
    return this.stage.reload()
  }

  /** Some paths, or the whole run's; softly, so that it is asked for anew but kept for bad times, or for good. */
  async purge(paths: readonly string[], soft: boolean): Promise<void> {
    for (const path of paths) {
      const before = this.history.told
      await administer(this.stage.larder, 'POST', '/purge', { repository: 'raw', path, soft })
      ;(soft ? this.#softlyPurged : this.#purged).set(path, before)
      this.#purges.set(path, this.#purgesOf(path) + 1)
      this.#seen.delete(path)
      if (!soft) this.#kept.delete(path)
    }
    this.history.purged()
  }

  /** All is well again: everyone gets an answer, the newest there is, and nothing is left behind. */
  async calm(): Promise<void> {
    const { origin, larder, rules } = this.stage
    origin.heal()
    this.gates.clear()
    if (this.isDead) await this.revive()
    await this.answered()
    await larder.settled()
    await this.pass(rules.maxAge + rules.staleWhileRevalidate + rules.maxStale + longestNote + 1)
    for (const path of this.paths) {
      const answer = await larder.get(path)
      const newest = this.history.newest(path)
      if (newest && !answer.body.equals(newest.body))
        this.faults.push(`${path}: ${answer.status}, not the newest, when all is calm`)
    }
    await larder.settled()
    const staged = await eventually(() => readdir(join(larder.data, 'staging')), isEmpty)
    const held = await eventually(() => openUnder(join(larder.data, 'blobs')), isEmpty)
    for (const left of [...staged, ...held]) this.faults.push(`left behind: ${left}`)
    for (const path of this.history.overlaps) this.faults.push(`${path}: fetched twice at a time`)
  }

  #through(client: Client, answer: Received): void {
    this.#clients.delete(client)
    if (client.hasLeft) return
    const { asked } = client
    const { fault, version } = judge(asked, answer, this.history, this.stage.rules)
    if (fault !== undefined)
      this.faults.push(`${asked.method} ${asked.path} ${JSON.stringify(asked.headers)}: ${fault}`)
    // What a fill brought that was begun before a purge is not stored (K5).
    if (!version || client.purges !== this.#purgesOf(asked.path)) return
    if (asked.method === 'GET' && answer.status === 200) {
      this.#seen.set(asked.path, Math.max(version.number, this.#seen.get(asked.path) ?? 0))
    }
    if (answer.header('x-checksum-sha256') !== undefined) this.#kept.set(asked.path, version)
  }

  #purgesOf(path: string): number {
    return this.#purges.get(path) ?? 0
  }

  #notAnswered(client: Client, error: Error): void {
    this.#clients.delete(client)
    const since = client.asked.at - longestNote * 1000
    if (client.hasLeft || this.history.failedSince(client.asked.path, since)) return
    this.faults.push(`${client.asked.path}: no answer: ${error.message}`)
  }
}
