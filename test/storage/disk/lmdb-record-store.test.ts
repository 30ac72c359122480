import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openLmdbRecordStore } from '../../../src/storage/disk/lmdb-record-store.js'
import { type RecordStoreDriver, recordStoreContract } from '../../contract/record-store.js'
import { collect, openUnder, workDirectory } from '../fixtures.js'

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
      const bytes = here.reduce((sum, { variants }) => sum + (variants[0]?.body.size ?? 0), 0)
      await store.close()
      expect(absent).toEqual([])
      expect(totals).toEqual({ records: here.length, bytes })
    }
  })
})

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
