import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

export type TextFile = { readonly text: string } | { /** What is wrong with it. */ readonly fault: string }

/** Reads the UTF-8 text of a regular file of at most `most` bytes; a pipe or a device would not end, or never begin. */
export function readTextFile(path: string, most: number): TextFile {
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const status = fstatSync(descriptor)
      if (status.isDirectory()) return { fault: 'is a directory' }
      if (!status.isFile()) return { fault: 'is not a regular file' }
      const bytes = readUpTo(descriptor, most + 1)
      if (bytes.length > most) return { fault: `is larger than ${most / 1024}KiB` }
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    return { fault: whyUnreadable(error as NodeJS.ErrnoException) }
  }
}

/** The file may grow while it is read. */
function readUpTo(descriptor: number, most: number): Uint8Array {
  const buffer = Buffer.alloc(most)
  let length = 0
  while (length < most) {
    const count = readSync(descriptor, buffer, length, most - length, null)
    if (count === 0) break
    length += count
  }
  return buffer.subarray(0, length)
}

function whyUnreadable({ code }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text'
  return `cannot be read (${code})`
}
