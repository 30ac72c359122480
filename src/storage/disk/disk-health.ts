import { constants, statfsSync } from 'node:fs'
import { access, mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../log.js'
import type { WriteGate } from '../write-gate.js'
import type { DataDirectory } from './data-directory.js'
import { type DiskFault, diskFaultOf } from './disk-fault.js'

export interface DiskHealth extends WriteGate {
  /** What is wrong now, if anything is; looks. */
  fault(): Promise<DiskFault | undefined>
  close(): void
}

export interface DiskHealthOptions {
  readonly data: DataDirectory
  readonly log: Logger
  /** Milliseconds after which storing is tried again. */
  readonly retryAfter?: number
}

const mebibyte = 1024 * 1024

/** Free bytes that no body may take: records have to be written too. */
const spare = mebibyte

/** With less free than this, or than a twentieth where that is less, the disk counts as full. */
const scarce = 64 * mebibyte

/** Bodies that found no room are told of once in so many ms. */
const toldEvery = 60_000

/**
 * Watches the disk of the data directory (K7). After a fault nothing is stored until a trial succeeds, so that neither the
 * disk nor the log hears of it from each request.
 */
export function watchDisk({ data, log, retryAfter = 5000 }: DiskHealthOptions): DiskHealth {
  let closedBy: DiskFault | undefined
  let timer: NodeJS.Timeout | undefined
  let told = Number.NEGATIVE_INFINITY

  const closeFor = (fault: DiskFault, error?: unknown) => {
    if (closedBy === undefined) {
      log.error(
        { err: error, fault },
        'cannot store; clients get what they ask for from the remotes until it works again',
      )
      timer = setTimeout(retry, retryAfter).unref()
    }
    closedBy = fault
  }

  const retry = async () => {
    const fault = await trial(data)
    if (fault) {
      closedBy = fault
      timer = setTimeout(retry, retryAfter).unref()
    } else {
      closedBy = undefined
      log.info('storing again')
    }
  }

  const failed = (error: unknown) => {
    if (closedBy === undefined) closeFor(diskFaultOf(error), error)
  }

  const hasRoom = (length: number): boolean => {
    const { bavail, bsize } = statfsSync(data.path)
    const free = bavail * bsize
    if (length + spare <= free) return true
    if (Date.now() - told >= toldEvery) {
      told = Date.now()
      log.warn({ length, free }, 'no room to store a body; its clients get it from the remote')
    }
    return false
  }

  return {
    admits(length = 0) {
      if (closedBy !== undefined) return false
      try {
        return hasRoom(length)
      } catch (error) {
        failed(error)
        return false
      }
    },
    failed,
    async fault() {
      const found = await inspect(data)
      if (found === 'data directory gone' || found === 'disk read-only') closeFor(found)
      return found ?? closedBy
    },
    close: () => clearTimeout(timer),
  }
}

/** Whether the disk takes bytes again; a staging directory that went missing is made anew. */
async function trial(data: DataDirectory): Promise<DiskFault | undefined> {
  const file = join(data.staging, 'trial')
  try {
    if (!(await data.isOurs())) return 'data directory gone'
    await mkdir(data.staging).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    try {
      await writeFile(file, Buffer.alloc(spare))
    } finally {
      await rm(file, { force: true })
    }
    return undefined
  } catch (error) {
    return diskFaultOf(error)
  }
}

/** What can be seen without writing. */
async function inspect(data: DataDirectory): Promise<DiskFault | undefined> {
  try {
    if (!(await data.isOurs())) return 'data directory gone'
    await access(data.path, constants.W_OK)
    const { bavail, blocks, bsize, files, ffree } = await statfs(data.path)
    const least = Math.max(spare, Math.min(scarce, (blocks * bsize) / 20))
    return bavail * bsize < least || (files > 0 && ffree === 0) ? 'disk full' : undefined
  } catch (error) {
    return diskFaultOf(error)
  }
}
