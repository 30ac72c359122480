import { randomUUID } from 'node:crypto'
import { LarderError } from '../../errors.js'
import type { Bucket, Tag } from './bucket.js'

/** How the gateway wants conditions. */
export interface Dialect {
  /** Ceph's gateway wants tags bare in `If-Match`, all others quoted. */
  ifMatch: (tag: Tag) => string
}

export const quoted = (tag: Tag): string => `"${tag}"`

const dialects: readonly Dialect[] = [{ ifMatch: quoted }, { ifMatch: (tag) => tag }]

const [one, two] = [Buffer.from('1'), Buffer.from('2')]

/** Tries what the gateway takes, on an object of its own under `trials`. Throws `STORE_UNUSABLE` where it takes no conditions. */
export async function learnDialect(speaking: (dialect: Dialect) => Bucket, trials: string): Promise<Dialect> {
  const name = `${trials}${randomUUID()}`
  const absent = { tag: undefined }
  const first = speaking({ ifMatch: quoted })
  // Where the answer to it was lost, the second try finds the first.
  const tag = (await first.put(name, one, absent)) ?? (await tagOf(first, name))
  if (tag === undefined) throw unusable('refuses a conditional write that it should take')
  try {
    if (await first.put(name, two, absent)) throw unusable('ignores If-None-Match')
    for (const dialect of dialects) {
      const bucket = speaking(dialect)
      if (await bucket.put(name, two, { tag: '0'.repeat(32) })) throw unusable('ignores If-Match')
      if (await bucket.put(name, one, { tag })) return dialect
    }
    throw unusable('refuses If-Match with the tag it gave')
  } finally {
    await first.remove(name)
  }
}

async function tagOf(bucket: Bucket, name: string): Promise<Tag | undefined> {
  const there = await bucket.stat(name)
  return typeof there === 'object' ? there.tag : undefined
}

export const unusable = (what: string, cause?: unknown) =>
  new LarderError('STORE_UNUSABLE', `cannot store in the bucket: its gateway ${what}${reasonOf(cause)}`, { cause })

/** In the gateway's own words, as far as it said any. */
function reasonOf(error: unknown): string {
  const said = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
  return said ? `: ${said.message}` : ''
}
