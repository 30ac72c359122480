import type { Logger } from '../../log.js'
import { createTurns } from '../holds.js'
import type { RecordStore, StandingOrder } from '../record-store.js'
import type { Bucket, Tag } from './bucket.js'
import type { Layout } from './layout.js'
import { poll } from './polling.js'

/** Standing orders that all replicas of a bucket obey. */
export interface SharedOrders {
  save(order: StandingOrder): Promise<void>
  drop(order: StandingOrder): Promise<void>
  onOrder: RecordStore['onOrder']
  /** Looks, unless that was done just now; whether something new was heard. */
  isNews(): Promise<boolean>
  /** Looks what others ordered; rejects where that can't be seen. */
  look(): Promise<void>
  close(): Promise<void>
}

export interface SharedOrdersOptions {
  readonly bucket: Bucket
  readonly layout: Layout
  /** Has them as this replica knows them. */
  readonly index: Pick<RecordStore, 'orders' | 'saveOrder' | 'dropOrder'>
  /** ms */
  readonly every: number
  readonly log: Logger
}

/** ms between two looks before a write: as long as that a purge of many keys may be unknown to a fill elsewhere (K5). */
const knownFor = 1000

export function openSharedOrders({ bucket, layout, index, every, log }: SharedOrdersOptions): SharedOrders {
  const listeners: Parameters<RecordStore['onOrder']>[0][] = []
  const inTurn = createTurns<'orders'>()
  /** Of the orders as they were last seen, by their names. */
  const tags = new Map<string, Tag>()
  let lookedAt = Number.NEGATIVE_INFINITY
  let heard = 0
  let looking: Promise<void> | undefined

  const tell = (order: StandingOrder, stands: boolean) => {
    heard += 1
    for (const listener of listeners) listener(order, stands)
  }

  const hear = async (name: string) => {
    const found = await bucket.get(name)
    const order = typeof found === 'object' ? parse(found.bytes) : undefined
    if (typeof found !== 'object' || !order || layout.order(order) !== name) return
    await index.saveOrder(order)
    tags.set(name, found.tag)
    tell(order, true)
  }

  const lookNow = async () => {
    const began = performance.now()
    const there = new Set<string>()
    for await (const page of bucket.list(layout.orders)) {
      for (const { name, tag } of page) {
        there.add(name)
        if (tags.get(name) !== tag) await hear(name)
      }
    }
    for (const order of index.orders()) {
      const name = layout.order(order)
      if (there.has(name)) continue
      tags.delete(name)
      await index.dropOrder(order)
      tell(order, false)
    }
    lookedAt = began
  }

  const polling = poll(() => inTurn('orders', lookNow), every, log)

  /** A purge that another one of the same has overtaken leaves that (K5). */
  const write = async (order: StandingOrder) => {
    const name = layout.order(order)
    for (;;) {
      const found = await bucket.get(name)
      const there = typeof found === 'object' ? found : undefined
      const other = there && parse(there.bytes)
      if (other?.kind === 'purge' && order.kind === 'purge' && other.epoch > order.epoch) return
      const tag = await bucket.put(name, Buffer.from(JSON.stringify(order)), { tag: there?.tag })
      if (tag === undefined) continue
      tags.set(name, tag)
      await index.saveOrder(order)
      return
    }
  }

  return {
    save: (order) => inTurn('orders', () => write(order)),
    drop: (order) =>
      inTurn('orders', async () => {
        await bucket.remove(layout.order(order))
        tags.delete(layout.order(order))
        await index.dropOrder(order)
      }),
    async isNews() {
      const before = heard
      if (performance.now() - lookedAt > knownFor) {
        looking ??= polling.look().finally(() => {
          looking = undefined
        })
        await looking
      }
      return heard !== before
    },
    onOrder: (listener) => void listeners.push(listener),
    look: polling.look,
    close: polling.close,
  }
}

/** `undefined` for what another version may have meant. */
function parse(bytes: Uint8Array): StandingOrder | undefined {
  let order: Partial<Record<string, unknown>> | null
  try {
    order = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
  const selection = order?.selection as Partial<Record<string, unknown>> | null | undefined
  const isSelection =
    typeof selection?.repository === 'string' &&
    typeof selection.pattern === 'string' &&
    ['path', 'prefix', 'glob', 'all'].includes(String(selection.by))
  if (!order || !isSelection) return undefined
  const isPurge =
    order.kind === 'purge' &&
    Number.isSafeInteger(order.epoch) &&
    typeof order.soft === 'boolean' &&
    typeof order.done === 'boolean'
  return isPurge || order.kind === 'pin' ? (order as unknown as StandingOrder) : undefined
}
