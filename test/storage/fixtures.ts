import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Digest, StoredBody, StoredRecord, StoredResponse } from '../../src/caching/record.js'

/** Bytes no two runs of which are alike, so that a misplaced piece shows. */
export const noise = (size: number): Buffer => randomBytes(size)

export const digestOf = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** A body in a blob of its own. */
export const blobBody = (bytes: Uint8Array): StoredBody => ({ digest: digestOf(bytes), size: bytes.length })

/** A body within its record. */
export const inlineBody = (bytes: Uint8Array): StoredBody => ({ ...blobBody(bytes), inline: new Uint8Array(bytes) })

export function response(body: StoredBody, overrides: Partial<StoredResponse> = {}): StoredResponse {
  const headers = ['ETag', '"1"', 'Content-Type', 'application/gzip']
  return { status: 200, headers, requestTime: 1000, responseTime: 2000, selecting: {}, body, ...overrides }
}

export function record(
  key: string,
  variants: readonly StoredResponse[],
  overrides: Partial<StoredRecord> = {},
): StoredRecord {
  return { key, version: 1, epoch: 0, remote: 'https://remote.example', variants, ...overrides }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** A temporary directory; `remove` it when done. */
export async function workDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'larder-storage-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** What this process has open under a directory, by path; read off the kernel. */
export function openUnder(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return target.startsWith(directory) ? [target] : []
    } catch {
      return []
    }
  })
}

/** Waits for what happens behind (a close, a removal) and has no event; resolves with the last value either way. */
export async function settled<T>(look: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(5)) {
    const value = await look()
    if (holds(value)) return value
  }
  return look()
}

export const isEmpty = (list: readonly unknown[]): boolean => list.length === 0

/** As `toEqual`, which takes seconds on large buffers. */
export function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual?.length).toBe(expected.length)
  expect(actual && Buffer.compare(actual, expected)).toBe(0)
}
