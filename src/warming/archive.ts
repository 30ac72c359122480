import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { extract, type Header } from 'tar-stream'

/** Bytes of an archive that are looked through, unpacked; an inventory stands at its beginning or near it. */
const mostUnpacked = 128 * 1024 * 1024

/** Bytes of one file taken out of an archive. */
const longestFile = 16 * 1024 * 1024

/**
 * The file of that name in a tar (gzipped or not), the one nearest to its top; what is no archive is the file itself.
 * `undefined` where the archive has none or is damaged.
 */
export async function fileIn(bytes: Uint8Array, name: string): Promise<Uint8Array | undefined> {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
  const isTar = Buffer.from(bytes.subarray(257, 262)).toString('latin1') === 'ustar'
  if (!isGzip && !isTar) return bytes
  return fileInTar(isGzip ? Readable.from([bytes]).pipe(createGunzip()) : Readable.from([bytes]), name)
}

async function fileInTar(unpacked: Readable, name: string): Promise<Uint8Array | undefined> {
  const tar = extract()
  let passed = 0
  unpacked.on('data', (chunk: Uint8Array) => {
    passed += chunk.length
    if (passed > mostUnpacked) unpacked.destroy(new Error('the archive is too large to look through'))
  })
  unpacked.on('error', (error) => tar.destroy(error))
  unpacked.pipe(tar)
  let found: { readonly depth: number; readonly content: Uint8Array } | undefined
  try {
    for await (const entry of tar) {
      const path = entry.header.name.replace(/^\.\//, '')
      const depth = path.split('/').length
      const isMeant = (path === name || path.endsWith(`/${name}`)) && entry.header.type === 'file'
      const content = isMeant && depth < (found?.depth ?? Number.POSITIVE_INFINITY) ? await contentOf(entry) : undefined
      if (content) found = { depth, content }
      else entry.resume()
    }
  } catch {
    return undefined
  } finally {
    unpacked.destroy()
  }
  return found?.content
}

async function contentOf(entry: AsyncIterable<unknown> & { readonly header: Header }): Promise<Uint8Array | undefined> {
  if (entry.header.size > longestFile) return undefined
  const chunks: Uint8Array[] = []
  for await (const chunk of entry) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
