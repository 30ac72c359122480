import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Algorithm } from '../caching/integrity.js'
import { createDigester } from './digester.js'
import { StagedBody } from './staged-body.js'
import type { WriteGate } from './write-gate.js'

export type { Digests } from './digester.js'
export type { StagedBody } from './staged-body.js'

/** Bodies that are coming in: `<directory>/<uuid>`, one file each, nothing of value after a restart (D2). */
export interface Staging {
  /** `length` in bytes, where the remote tells it. */
  create(length: number | undefined, options?: StageOptions): StagedBody
  close(): void
}

export interface StageOptions {
  /** The digests its last byte waits for: digested while it comes in, else only when asked, off the way of those who wait. */
  readonly promised?: readonly Algorithm[]
  /**
   * Whether a body of so many bytes may be stored; asked when it begins (`undefined`: length not told), and again while one
   * of unknown length grows, with what came so far. Once it says no the body is `adrift`.
   */
  readonly room?: (bytes: number | undefined) => boolean
  /** Told when its writer lets go of it. */
  readonly released?: () => void
}

/** Empties the directory. Where even that fails the disk is in trouble, which `disk` gets to know. */
export async function openStaging(directory: string, disk: WriteGate = trusting): Promise<Staging> {
  await emptied(directory).catch((error) => disk.failed(error))
  const digester = createDigester()
  return {
    create: (length, { promised = [], room = () => true, released = () => {} } = {}) =>
      new StagedBody({
        ...{ file: join(directory, randomUUID()), length, promised, digester, released },
        // What of it is on the disk already needs no more room there.
        room: (bytes) => disk.admits(length) && room(bytes),
        failed: disk.failed,
      }),
    close: () => digester.close(),
  }
}

/** The directory itself stays: on a full disk it could not be made anew. */
async function emptied(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true, force: true })
}

/** Takes every disk for sound until a write fails. */
const trusting: WriteGate = { admits: () => true, failed() {} }
