import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Digest, StoredBody, StoredRecord } from '../../src/caching/record.js'
import { openLmdbRecordStore } from '../../src/storage/disk/lmdb-record-store.js'
import type { RecordStore, StoreTotals } from '../../src/storage/record-store.js'
import { filesUnder } from './stage.js'

/** What is stored in a data directory that no process owns. */
export interface Audit {
  /** By key. */
  readonly records: ReadonlyMap<string, StoredRecord>
  /** Blobs no record refers to. */
  readonly orphans: readonly Digest[]
  /** What must not be, whenever a process was killed. */
  readonly faults: readonly string[]
}

export const blobFile = (data: string, digest: Digest): string => {
  const hex = digest.slice('sha256:'.length)
  return join(data, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

/** Reads all of it again: records, their bodies, and what is accounted of them; `gone`: blobs that were taken away. */
export async function audit(data: string, gone: ReadonlySet<Digest>): Promise<Audit> {
  const store = openLmdbRecordStore(join(data, 'records'))
  try {
    const records = new Map<string, StoredRecord>()
    for await (const record of store.list('')) records.set(record.key, record)
    const damaged: string[] = []
    for await (const id of store.undecodable()) damaged.push(`undecodable: ${id}`)
    const bodies = [...records.values()].flatMap(({ variants }) => variants.map(({ body }) => body))
    const sound = bodies.filter(({ digest }) => !gone.has(digest))
    const faults = await Promise.all(sound.map((body) => faultOf(data, body)))
    const referred = new Set(bodies.filter(({ inline }) => !inline).map(({ digest }) => digest))
    const present = (await filesUnder(join(data, 'blobs'))).map((file): Digest => `sha256:${basename(file)}`)
    return {
      records,
      orphans: present.filter((digest) => !referred.has(digest)),
      faults: [
        ...damaged,
        ...faults.filter((fault) => fault !== undefined),
        ...miscounted(store, [...records.values()]),
      ],
    }
  } finally {
    await store.close()
  }
}

async function faultOf(data: string, { digest, size, inline }: StoredBody): Promise<string | undefined> {
  const bytes = inline ?? (await readFile(blobFile(data, digest)).catch(() => undefined))
  if (!bytes) return `no blob ${digest}`
  if (bytes.length !== size) return `${bytes.length} bytes instead of ${size}: ${digest}`
  const actual = createHash('sha256').update(bytes).digest('hex')
  return digest === `sha256:${actual}` ? undefined : `bytes of ${actual}: ${digest}`
}

/** Where the totals kept beside the records aren't what a recount gives (K6). */
function miscounted(store: RecordStore, records: readonly StoredRecord[]): string[] {
  const repositoryOf = ({ key }: StoredRecord) => key.slice(0, key.indexOf('/'))
  const names = [...new Set([...records.map(repositoryOf), ...store.repositories()])]
  const counts = [
    { of: 'all', told: store.totals(), counted: recount(records) },
    ...names.map((name) => ({
      of: name,
      told: store.totals(name),
      counted: recount(records.filter((record) => repositoryOf(record) === name)),
    })),
  ]
  return counts
    .map(({ of, told, counted }) => ({ of, told: JSON.stringify(told), counted: JSON.stringify(counted) }))
    .filter(({ told, counted }) => told !== counted)
    .map(({ of, told, counted }) => `totals of ${of} say ${told}, a recount ${counted}`)
}

function recount(records: readonly StoredRecord[]): StoreTotals {
  const bodies = records.flatMap(({ variants }) => variants.map(({ body }) => body))
  const blobs = new Map(bodies.filter(({ inline }) => !inline).map(({ digest, size }) => [digest, size]))
  const inline = bodies.filter((body) => body.inline).map(({ size }) => size)
  return { records: records.length, bytes: [...blobs.values(), ...inline].reduce((sum, size) => sum + size, 0) }
}
