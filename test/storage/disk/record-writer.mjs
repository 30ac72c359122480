import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { openLmdbRecordStore } from '../../../dist/storage/disk/lmdb-record-store.js'

/*
 * A process that writes records, sixteen at a time, until it is killed; it says each key once its write is acknowledged.
 * Runs the built store, for this is a process of its own.
 */
const [directory, from] = process.argv.slice(2)
const store = openLmdbRecordStore(directory)
let next = Number(from)

async function write() {
  for (;;) {
    const key = `raw/${next}`
    next += 1
    const digest = `sha256:${createHash('sha256').update(key).digest('hex')}`
    const variant = {
      status: 200,
      headers: [],
      requestTime: 1,
      responseTime: 1,
      selecting: {},
      body: { digest, size: 7 },
    }
    await store.put(
      { key, version: 1, epoch: 0, remote: 'https://remote.example', variants: [variant] },
      store.get(key)?.version ?? 0,
    )
    writeSync(1, `${key}\n`)
  }
}

for (let writer = 0; writer < 16; writer += 1) write()
