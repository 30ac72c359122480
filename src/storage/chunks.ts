import fs from 'node:fs'
import { promisify } from 'node:util'

const writev = promisify(fs.writev)

/** Chunks for one `writev`; the kernel takes no more at a time (IOV_MAX). */
const chunksAtOnce = 1024

/** Appends all of the chunks. `writev` may write less than asked (a nearly full disk). */
export async function writeFully(fd: number, chunks: readonly Uint8Array[]): Promise<void> {
  for (let at = 0; at < chunks.length; at += chunksAtOnce) {
    let rest = chunks.slice(at, at + chunksAtOnce)
    while (rest.length > 0) {
      const { bytesWritten } = await writev(fd, rest)
      rest = withoutFirst(rest, bytesWritten)
    }
  }
}

/** The chunks without their first `count` bytes. */
export function withoutFirst(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  let skipped = 0
  let left = count
  for (const { length } of chunks) {
    if (length > left) break
    left -= length
    skipped += 1
  }
  const [cut, ...rest] = chunks.slice(skipped)
  return cut ? [cut.subarray(left), ...rest] : []
}

/** Copies up to `wanted` of the chunks' bytes from `position` on; returns how many. */
export function copyOut(chunks: readonly Uint8Array[], into: Uint8Array, position: number, wanted: number): number {
  let skip = position
  let copied = 0
  for (const chunk of chunks) {
    if (copied === wanted) break
    if (skip >= chunk.length) {
      skip -= chunk.length
      continue
    }
    const part = chunk.subarray(skip, skip + wanted - copied)
    into.set(part, copied)
    copied += part.length
    skip = 0
  }
  return copied
}

/** Views of the chunks' bytes from `start` to `end` (exclusive); none of them empty. */
export function slices(chunks: readonly Uint8Array[], start: number, end: number): Uint8Array[] {
  const views: Uint8Array[] = []
  let from = 0
  for (const chunk of chunks) {
    if (from >= end) break
    if (Math.max(start, from) < Math.min(end, from + chunk.length))
      views.push(chunk.subarray(Math.max(0, start - from), end - from))
    from += chunk.length
  }
  return views
}
