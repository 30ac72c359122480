import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { fileIn } from '../../src/warming/archive.js'

async function tar(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content)
  archive.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of archive) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

const found = async (bytes: Uint8Array) => {
  const file = await fileIn(bytes, 'inventory.json')
  return file && Buffer.from(file).toString()
}

describe('a file in an archive', () => {
  it.each([
    ['at its top', { 'inventory.json': 'it' }, 'it'],
    ['written with a dot', { './inventory.json': 'it' }, 'it'],
    ['the one nearest to the top', { 'a/b/inventory.json': 'deep', 'a/inventory.json': 'it' }, 'it'],
    ['not one that only ends so', { 'old-inventory.json': 'no' }, undefined],
    ['none', { 'README.md': 'no' }, undefined],
  ])('%s', async (_, files, content) => {
    const archive = await tar({ 'bin/compile': 'x'.repeat(100_000), ...files })
    expect(await found(archive)).toBe(content)
    expect(await found(gzipSync(archive))).toBe(content)
  })

  it('what is no archive is the file itself', async () => {
    expect(await found(Buffer.from('{}'))).toBe('{}')
    expect(await found(Buffer.alloc(0))).toBe('')
  })

  it('a damaged archive has none', async () => {
    const archive = gzipSync(await tar({ 'bin/compile': 'x'.repeat(100_000), 'inventory.json': 'it' }))
    expect(await found(archive.subarray(0, archive.length - 60))).toBeUndefined()
  })

  it('a bomb is not unpacked', async () => {
    const bomb = gzipSync(await tar({ 'bin/compile': '\0'.repeat(130 * 1024 * 1024), 'inventory.json': 'it' }))
    expect(await found(bomb)).toBeUndefined()
  })
})
