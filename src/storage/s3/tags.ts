import { open } from 'lmdb'
import { LarderError } from '../../errors.js'
import type { Tag } from './bucket.js'

/*
 * One lmdb environment: an object's name -> what is known of it. Written after the record it speaks of, so that what a crash
 * leaves behind is too old at worst, and looked up again.
 */

/** The object as this replica saw it last. */
export interface Seen {
  readonly tag: Tag
  /** The cache key; `undefined` where the record can't be decoded. */
  readonly key?: string
  /** The version of a tombstone that says nothing any more. */
  readonly empty?: number
}

export interface Tags {
  get(name: string): Seen | undefined
  put(name: string, seen: Seen): Promise<void>
  remove(name: string): Promise<void>
  /** Those whose name starts with `prefix`, behind `after`, up to `last` where that is given; in order. */
  range(
    prefix: string,
    after: string | undefined,
    last?: string,
  ): Iterable<{ readonly name: string; readonly seen: Seen }>
  close(): Promise<void>
}

/** Throws `DATA_DIRECTORY_UNUSABLE`. */
export function openTags(directory: string): Tags {
  const tags = opened(directory)
  const durably = async (write: Promise<unknown>) => {
    try {
      await write
    } catch (error) {
      throw new LarderError('STORE_FAULT', 'cannot note what an object is', { cause: error })
    }
  }
  return {
    get: (name) => tags.get(name),
    put: (name, seen) => durably(tags.put(name, seen)),
    remove: (name) => durably(tags.remove(name)),
    *range(prefix, after, last) {
      const start = after === undefined ? { start: prefix } : { start: after, exclusiveStart: true }
      for (const { key: name, value: seen } of tags.getRange({ ...start, end: `${prefix}\uffff` })) {
        if (last !== undefined && name > last) return
        yield { name, seen }
      }
    },
    close: () => tags.close(),
  }
}

function opened(path: string) {
  try {
    return open<Seen, string>({ path, cache: false, overlappingSync: false, eventTurnBatching: false })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new LarderError('DATA_DIRECTORY_UNUSABLE', `cannot open ${path}: ${why}`, { cause: error })
  }
}
