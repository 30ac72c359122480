import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { open } from 'lmdb'
import { describe, expect, it, onTestFinished } from 'vitest'
import { storageKey } from '../../../src/caching/cache-key.js'
import type { StoredBody, StoredRecord } from '../../../src/caching/record.js'
import { encodeRecord } from '../../../src/caching/record-encoding.js'
import { openLmdbRecordStore } from '../../../src/storage/disk/lmdb-record-store.js'
import type { RecordStore } from '../../../src/storage/record-store.js'
import { type RecordStoreDriver, recordStoreContract } from '../../contract/record-store.js'
import { blobBody, collect, inlineBody, noise, openUnder, record, response, workDirectory } from '../fixtures.js'

async function lmdbDriver(): Promise<RecordStoreDriver> {
  const { path, remove } = await workDirectory()
  const directory = join(path, 'records')
  const store = openLmdbRecordStore(directory)
  return {
    store,
    async reopen() {
      await store.close()
      return openLmdbRecordStore(directory)
    },
    leftovers: async () => openUnder(path),
    dispose: remove,
  }
}

describe('lmdb record store', () => {
  recordStoreContract(lmdbDriver)

  it.each([
    ['a listing', (store: RecordStore) => collect(store.list('raw/'))],
    ['of tombstones alone', (store: RecordStore) => collect(store.list('gone/'))],
    ['a look for what is damaged', (store: RecordStore) => collect(store.undecodable())],
  ])('%s of many keeps nobody waiting for all of them', async (_, look) => {
    const { store, dispose } = await lmdbDriver()
    onTestFinished(dispose)
    const variants = [response(inlineBody(noise(10)))]
    const keys = Array.from({ length: 1000 }, (_, i) => i)
    await Promise.all(
      keys.flatMap((i) => [
        store.put(record(`raw/${i}`, variants), 0),
        store.put(record(`gone/${i}`, [], { epoch: 1 }), 0),
      ]),
    )
    let turns = 0
    const count = () => {
      turns += 1
      counting = setImmediate(count)
    }
    let counting = setImmediate(count)
    await look(store)
    clearImmediate(counting)
    expect(turns).toBeGreaterThan(5)
    await store.close()
  })

  it('D5: a store from before last use and totals by repository is completed when it is opened', async () => {
    const { path, remove } = await workDirectory()
    onTestFinished(remove)
    const body = blobBody(noise(20_000))
    const old = [
      record('raw/a', [response(body, { responseTime: 3000 })]),
      record('raw/b', [response(body, { responseTime: 1000 }), response(inlineBody(noise(10)), { responseTime: 500 })]),
      record('raw2/c', [response(body, { responseTime: 2000 })]),
      record('raw/gone', [], { version: 4, epoch: 4 }),
    ]
    await writeFirstFormat(path, old, body)
    const store = openLmdbRecordStore(path)
    try {
      expect(store.totals()).toEqual({ records: 3, bytes: 20_010 })
      expect(store.totals('raw')).toEqual({ records: 2, bytes: 20_010 })
      expect(store.totals('raw2')).toEqual({ records: 1, bytes: 20_000 })
      expect(store.leastUsed('raw', 10)).toEqual([
        { key: 'raw/b', lastUse: 1000 },
        { key: 'raw/a', lastUse: 3000 },
      ])
      for (const { key } of old) await store.put(record(key, [], { version: 9 }), (await store.get(key))?.version ?? 0)
      expect(store.totals()).toEqual({ records: 0, bytes: 0 })
      expect([store.repositories(), store.leastUsed('raw', 10), await store.prune(100, 10)]).toEqual([[], [], []])
    } finally {
      await store.close()
    }
  })

  it('D2: after kill -9 every record whose write was acknowledged is there', async () => {
    const { path, remove } = await workDirectory()
    onTestFinished(remove)
    const directory = join(path, 'records')
    const acknowledged: string[] = []
    for (const enough of [1, 40, 400]) {
      acknowledged.push(...(await writeUntilKilled(directory, acknowledged.length, enough)))
      const store = openLmdbRecordStore(directory)
      const absent = acknowledged.filter((key) => store.get(key) === undefined)
      const here = await collect(store.list(''))
      const totals = store.totals()
      const own = store.totals('raw')
      const ordered = store.leastUsed('raw', 10_000).length
      const bytes = here.reduce((sum, { variants }) => sum + (variants[0]?.body.size ?? 0), 0)
      await store.close()
      expect(absent).toEqual([])
      expect(totals).toEqual({ records: here.length, bytes })
      expect(own).toEqual(totals)
      expect(ordered).toBe(here.length)
    }
  })
})

/** As the first version laid its records down. */
async function writeFirstFormat(path: string, records: readonly StoredRecord[], { digest }: StoredBody): Promise<void> {
  const root = open({ path, maxDbs: 3 })
  const stored = root.openDB<Buffer, string>({ name: 'records', encoding: 'binary' })
  const references = root.openDB<string, string>({ name: 'references', encoding: 'ordered-binary', dupSort: true })
  const totals = root.openDB<number, string>({ name: 'totals' })
  for (const one of records) {
    await stored.put(storageKey(one.key), Buffer.from(encodeRecord(one)))
    if (one.variants.length > 0) await references.put(digest, storageKey(one.key))
  }
  await totals.put('records', 3)
  await totals.put('bytes', 20_010)
  await root.close()
}

/** The keys a child process said it wrote; it is killed while it goes on writing. */
async function writeUntilKilled(directory: string, from: number, enough: number): Promise<string[]> {
  const program = fileURLToPath(new URL('./record-writer.mjs', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [program, directory, `${from}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  if (!child.stdout) throw new Error('the child has no stdout')
  const written: string[] = []
  for await (const key of createInterface({ input: child.stdout })) {
    written.push(key)
    if (written.length === enough) child.kill('SIGKILL')
  }
  const [, signal] = await gone
  expect(signal).toBe('SIGKILL')
  return written
}
