import type { StoredRecord } from '../../caching/record.js'
import { decodeRecord, encodeRecord } from '../../caching/record-encoding.js'
import { createTurns } from '../holds.js'
import type { RecordStore } from '../record-store.js'
import type { Bucket, ListedObject } from './bucket.js'
import { inLanes } from './lanes.js'
import type { Layout } from './layout.js'
import type { Seen, Tags } from './tags.js'

export interface MirrorOptions {
  readonly bucket: Bucket
  readonly layout: Layout
  /** The local index: every record as this replica knows it. */
  readonly index: RecordStore
  readonly tags: Tags
  /** Milliseconds that a tombstone without an epoch stays. */
  readonly emptyFor: number
}

/** The local index, made to follow the bucket: record by record as they are looked up, or all as they are listed. */
export interface Mirror {
  /** One action on an object after another. */
  inTurn<T>(name: string, action: () => Promise<T>): Promise<T>
  /** Whether the index has what was seen. */
  isIntact(seen: Seen): Promise<boolean>
  /** Within the object's turn: the record as the bucket has it, and the index from now on; rejects where that can't follow. */
  refresh(name: string, key: string): Promise<StoredRecord | undefined>
  /** The same for who only reads: an index on a full disk is behind, and is made to follow later. */
  read(name: string, key: string): Promise<StoredRecord | undefined>
  /**
   * Within the object's turn: removes it, unless it is not what was seen any more. The gateway may know no removal by condition,
   * so one that is written right then may go: it is a tombstone nobody touched for days that this is for.
   */
  remove(name: string): Promise<void>
  /** Lists the bucket; each page comes once the index has its objects as they are. */
  walk(prefix: string, after?: string): AsyncGenerator<readonly Seen[]>
}

/** Objects asked for at a time. */
const lanes = 16

export const saysSomething = ({ variants, epoch }: StoredRecord): boolean => variants.length > 0 || epoch > 0

export function createMirror({ bucket, layout, index, tags, emptyFor }: MirrorOptions): Mirror {
  const inTurn = createTurns<string>()

  const isIntact = async ({ key, empty }: Seen) => {
    if (key === undefined || empty !== undefined) return true
    // Whatever has a body has a last use, which is found without decoding it.
    return index.lastUse(key) !== undefined || (await index.get(key)) !== undefined
  }

  const forget = async (key: string) => {
    const known = await index.get(key)
    if (known) await index.put({ ...known, epoch: 0, variants: [] }, known.version)
  }

  const adopt = async (record: StoredRecord, bytes: Uint8Array) => {
    let known = await index.get(record.key)
    if (known?.version === record.version && Buffer.compare(encodeRecord(known), bytes) === 0) return
    // A bucket that was put back to an earlier state counts.
    if (known && known.version >= record.version) {
      await forget(record.key)
      known = undefined
    }
    await index.put(record, known?.version ?? 0)
    // Others may have used it all the time: it is not to look older than what is known of its use here.
    if (!known) await index.use(new Map([[record.key, Date.now()]]))
  }

  const refresh = async (name: string, key: string | undefined, mayLag = false) => {
    const seen = tags.get(name)
    const known = seen && (await isIntact(seen)) ? seen.tag : undefined
    const found = await bucket.get(name, known)
    if (found === 'same') return key === undefined ? undefined : index.get(key)
    const record = found && decodeRecord(found.bytes)
    const isOurs = record !== undefined && layout.record(record.key) === name
    const before = seen?.key ?? key
    if (!isOurs && before !== undefined) await forget(before)
    if (!found) {
      await tags.remove(name)
      return undefined
    }
    if (!isOurs) {
      await tags.put(name, { tag: found.tag })
      return undefined
    }
    const adopted = adopt(record, found.bytes).then(() => tags.put(name, seenOf(record, found.tag)))
    await (mayLag ? adopted.catch(() => {}) : adopted)
    return saysSomething(record) ? record : undefined
  }

  const remove = async (name: string) => {
    const seen = tags.get(name)
    await tags.remove(name)
    const there = await bucket.stat(name)
    if (typeof there === 'object' && there.tag === seen?.tag) await bucket.remove(name, seen.tag)
  }

  const look = async ({ name, tag, modified }: ListedObject) => {
    const seen = tags.get(name)
    if (seen?.tag !== tag || !(await isIntact(seen))) await inTurn(name, () => refresh(name, undefined))
    else if (seen.empty !== undefined && Date.now() - modified > emptyFor) await inTurn(name, () => remove(name))
  }

  return {
    inTurn,
    isIntact,
    refresh,
    read: (name, key) => refresh(name, key, true),
    remove,
    async *walk(prefix, after) {
      let from = after
      for await (const page of bucket.list(prefix, after)) {
        const last = page.at(-1)?.name
        await inLanes(page, lanes, look)
        if (last === undefined) continue
        yield* reconcile(prefix, from, last, new Set(page.map(({ name }) => name)))
        from = last
      }
      yield* reconcile(prefix, from, undefined, new Set())
    },
  }

  /** What the index still has although the listing passed over it is looked up; then yields what there is. */
  async function* reconcile(
    prefix: string,
    from: string | undefined,
    last: string | undefined,
    listed: ReadonlySet<string>,
  ) {
    const known = [...tags.range(prefix, from, last)]
    const missing = known.filter(({ name }) => !listed.has(name))
    await inLanes(missing, lanes, ({ name }) => inTurn(name, () => refresh(name, undefined)))
    yield known.flatMap(({ name }) => tags.get(name) ?? [])
  }
}

export const seenOf = (record: StoredRecord, tag: string): Seen => ({
  tag,
  key: record.key,
  ...(!saysSomething(record) && { empty: record.version }),
})
