import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { createLog } from '../../../src/log.js'
import { type DataDirectory, openDataDirectory } from '../../../src/storage/disk/data-directory.js'
import { type DiskHealth, watchDisk } from '../../../src/storage/disk/disk-health.js'
import { workDirectory } from '../fixtures.js'

let data: DataDirectory
let disk: DiskHealth
let logs: { msg: string; fault?: string }[]

beforeEach(async () => {
  const { path, remove } = await workDirectory()
  data = await openDataDirectory(`${path}/data`)
  await mkdir(data.staging)
  logs = []
  const log = createLog('info', { write: (line) => void logs.push(JSON.parse(line)) })
  disk = watchDisk({ data, log, retryAfter: 20 })
  onTestFinished(async () => {
    disk.close()
    await data.unlock()
    await remove()
  })
})

const full = () => Object.assign(new Error('no space left'), { code: 'ENOSPC' })
const told = () => logs.map(({ msg }) => msg.split(';')[0])
const opened = () => vi.waitFor(() => expect(disk.admits(1)).toBe(true), 10_000)

it('a sound disk admits what fits on it', async () => {
  expect([disk.admits(undefined), disk.admits(0), disk.admits(100_000)]).toEqual([true, true, true])
  expect(await disk.fault()).toBeUndefined()
  expect(logs).toEqual([])
})

it('K7: a body larger than what is free is not begun, and told of once', () => {
  expect([disk.admits(2 ** 52), disk.admits(2 ** 52), disk.admits(1000)]).toEqual([false, false, true])
  expect(told()).toEqual(['no room to store a body'])
})

it('K7: after a fault nothing is admitted until a trial succeeds; both are told once', async () => {
  for (const _ of [1, 2, 3]) disk.failed(full())
  expect([disk.admits(0), await disk.fault()]).toEqual([false, 'disk full'])
  await opened()
  expect(await disk.fault()).toBeUndefined()
  expect(told()).toEqual(['cannot store', 'storing again'])
  expect(await readdir(data.staging)).toEqual([])
})

it('K7: as long as trials fail it stays closed', async () => {
  await rm(data.staging, { recursive: true })
  await writeFile(data.staging, '')
  disk.failed(full())
  await vi.waitFor(async () => expect(await disk.fault()).toBe('disk not writable'), 10_000)
  expect(disk.admits(0)).toBe(false)
  await rm(data.staging)
  await opened()
  expect(told()).toEqual(['cannot store', 'storing again'])
})

it('K7: a staging directory that went missing is made anew', async () => {
  await rm(data.staging, { recursive: true })
  disk.failed(new Error('no such directory'))
  await opened()
  expect(await readdir(data.staging)).toEqual([])
})

it.each([
  ['removed', () => rm(data.path, { recursive: true })],
  [
    'replaced by another',
    async () => {
      await rename(data.path, `${data.path}-moved`)
      await mkdir(data.path)
    },
  ],
])('O1: a data directory that was %s is gone: nothing is written there any more', async (_, remove) => {
  await remove()
  expect(await disk.fault()).toBe('data directory gone')
  expect(disk.admits(0)).toBe(false)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect([disk.admits(0), await disk.fault(), await readdir(data.path).catch(() => [])]).toEqual([
    false,
    'data directory gone',
    [],
  ])
  expect(told()).toEqual(['cannot store'])
})
