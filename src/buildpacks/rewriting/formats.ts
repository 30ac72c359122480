import { isHeader } from './tar-header.js'

export type Format = 'gzip' | 'zip' | 'tar' | 'text' | 'other'

/** Bytes from its beginning that tell what a body is. */
export const tellingBytes = 512

const magics = { gzip: ['\x1f\x8b\x08'], zip: ['PK\x03\x04', 'PK\x05\x06'] }

/** Formats that are not opened, and that a short body might have without a NUL: zstd, bzip2, xz, 7z, compress, lzip, PDF. */
const closed = ['\x28\xb5\x2f\xfd', 'BZh', '\xfd7zXZ', '7z\xbc\xaf\x27\x1c', '\x1f\x9d', 'LZIP', '%PDF-']

/** What a body is, by its first bytes: its name and Content-Type may be anything. `text` is what nothing speaks against yet. */
export function formatOf(head: Buffer): Format {
  const start = head.toString('latin1', 0, 16)
  const begins = (magic: string) => start.startsWith(magic)
  if (magics.gzip.some(begins)) return 'gzip'
  if (magics.zip.some(begins)) return 'zip'
  if (isHeader(head)) return 'tar'
  return head.includes(0) || closed.some(begins) ? 'other' : 'text'
}
