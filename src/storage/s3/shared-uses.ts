import type { Logger } from '../../log.js'
import type { RecordStore } from '../record-store.js'
import type { Bucket, Tag } from './bucket.js'
import type { Layout } from './layout.js'
import { poll } from './polling.js'

/** What each replica served lately, so that none evicts what another one uses (K6). */
export interface SharedUses {
  note(uses: ReadonlyMap<string, number>): void
  /** Tells of ours, and hears of the others'; rejects where that can't be done. */
  look(): Promise<void>
  close(): Promise<void>
}

export interface SharedUsesOptions {
  readonly bucket: Bucket
  readonly layout: Layout
  readonly index: Pick<RecordStore, 'use'>
  /** This replica's name among the others. */
  readonly replica: string
  /** ms */
  readonly every: number
  readonly log: Logger
}

/** Keys told of at a time; what is used more often is told of the next time. */
const mostTold = 20_000

/** ms after which a replica that told nothing is gone for good. */
const forgottenAfter = 24 * 3600 * 1000

export function openSharedUses({ bucket, layout, index, replica, every, log }: SharedUsesOptions): SharedUses {
  const own = layout.uses + replica
  const tags = new Map<string, Tag>()
  let noted = new Map<string, number>()

  const tell = async () => {
    if (noted.size === 0) return
    const telling = noted
    noted = new Map()
    await bucket.put(own, Buffer.from(JSON.stringify(Object.fromEntries(telling))))
  }

  const hear = async (name: string) => {
    const found = await bucket.get(name)
    if (typeof found !== 'object') return
    await index.use(parse(found.bytes))
    tags.set(name, found.tag)
  }

  const look = async () => {
    await tell()
    for await (const page of bucket.list(layout.uses)) {
      for (const { name, tag, modified } of page) {
        if (name === own || tags.get(name) === tag) continue
        if (Date.now() - modified < forgottenAfter) await hear(name)
        else await bucket.remove(name)
      }
    }
  }

  const polling = poll(look, every, log)

  return {
    note(uses) {
      for (const [key, time] of uses) if (noted.size < mostTold || noted.has(key)) noted.set(key, time)
    },
    look: polling.look,
    close: polling.close,
  }
}

function parse(bytes: Uint8Array): ReadonlyMap<string, number> {
  try {
    const uses: unknown = JSON.parse(Buffer.from(bytes).toString())
    const entries = typeof uses === 'object' && uses !== null ? Object.entries(uses) : []
    return new Map(entries.filter((entry): entry is [string, number] => Number.isFinite(entry[1])))
  } catch {
    return new Map()
  }
}
