import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { startClient } from './support/client.mjs'
import { GIB, MIB, warm, withServerCpu } from './support/stage.mjs'

const SIZE = 64 * MIB
const FETCHES_A_ROUND = 5
const STEP_LIMIT_MS = 20_000

/** @type {import('./support/figures.mjs').Bench} */
export const coldBig = {
  name: 'cold-big',
  about: '64 MiB not yet in the cache, an unlimited origin, one client',
  figures: {
    rate: { label: 'throughput', unit: 'MiB/s', goal: { of: 'ratio', atLeast: 0.7 } },
    firstByte: { label: 'first byte', unit: 'ms', digits: 1 },
    cpu: { label: 'server CPU by GiB', unit: 's', digits: 2 },
    client: { label: "client's share of a core", unit: '1', digits: 2 },
  },
  async run(stage) {
    const artifact = stage.writeFile('cold.bin', SIZE)
    const origin = await stage.startOrigin()
    const sides = await stage.startSides(origin.url)
    for (const side of sides) await warm(side, artifact)
    const client = startClient()
    const settle = settler(stage)
    let keys = 0
    await stage.alternate(
      sides,
      async (side) => {
        refresh(join(stage.files, 'cold.bin'))
        settle()
        const before = origin.requests()
        const url = side.url(`${artifact.path}?cold=${keys++}`)
        const { totalMs, firstByteMs, cpuShare, serverCpu } = await withServerCpu(side, () => client.fetch(url))
        if (origin.requests() !== before + 1) throw new Error(`${url} was not one cold fetch`)
        stage.record(side.name, {
          rate: SIZE / MIB / (totalMs / 1000),
          firstByte: firstByteMs,
          cpu: serverCpu / (SIZE / GIB),
          client: cpuShare,
        })
      },
      stage.rounds * FETCHES_A_ROUND,
    )
  },
}

/**
 * Gives the file other bytes: what a cache has under one key it might not have to store again under another.
 *
 * @param {string} file
 */
function refresh(file) {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, randomBytes(32), 0, 32, 0)
  closeSync(descriptor)
}

/**
 * Writes what earlier fetches stored to the disk and drops it from the page cache, so that every fetch starts alike: none
 * pays for writing back the one before, nor for memory that was never used (which a virtual machine first has to get
 * from its host, at a third of the speed).
 *
 * @param {import('./support/stage.mjs').Stage} stage
 */
function settler({ directory, files }) {
  /** @type {Set<string>} */
  const dropped = new Set()
  return () => {
    spawnSync('sync', ['-f', directory], { timeout: STEP_LIMIT_MS })
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      if (!entry.isFile() || entry.parentPath === files || dropped.has(file)) continue
      // A file that is still on its way to its place may be gone by now.
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) < SIZE) continue
      // With `nocache` and nothing to copy, dd tells the kernel that nobody needs the file's pages.
      spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none'], { timeout: STEP_LIMIT_MS })
      dropped.add(file)
    }
  }
}
