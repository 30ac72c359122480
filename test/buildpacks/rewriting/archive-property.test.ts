import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { extract, type Header, pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { limits } from '../../property/limits.js'
import { base, configured, rewrite } from './fixtures.js'

/** Of the same length as what takes its place, and of another. */
const [even, odd] = ['https://a-remote-of-the.example/abcdef', 'https://odd.example']
const repositories = await configured({ even: { remote: even }, odd: { remote: odd } })
const becomes: Readonly<Record<string, string>> = {
  [even]: `${base}/repository/even`,
  [odd]: `${base}/repository/odd`,
}

interface File {
  readonly header: Header
  readonly content: Buffer
}

/** Any bytes but a NUL, with URLs among them. */
const text = (url: fc.Arbitrary<string>) =>
  fc
    .array(fc.oneof(url, fc.uint8Array({ min: 1, max: 255, maxLength: 600 }), fc.constant('http'), fc.constant('"')), {
      maxLength: 6,
    })
    .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part as string))))

const binary = fc
  .uint8Array({ maxLength: 3000 })
  .map((bytes) => Buffer.concat([bytes, Buffer.from(`\0${even}\0${odd}`)]))

const name = fc
  .array(fc.constantFrom('bin', 'lib', 'é', 'x'.repeat(60), 'a.b', 'long'.repeat(30)), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.join('/'))

const file = (url: fc.Arbitrary<string>): fc.Arbitrary<File> =>
  fc
    .record({
      name,
      content: fc.oneof({ weight: 3, arbitrary: text(url) }, binary),
      type: fc.constantFrom<Header['type']>('file', 'file', 'file', 'contiguous-file', 'directory', 'symlink', 'link'),
      mode: fc.constantFrom(0o644, 0o4755, 0o1777),
      uid: fc.constantFrom(0, 1000, 2 ** 21, 2 ** 22),
      mtime: fc.integer({ min: 0, max: 2 ** 31 }),
      told: fc.boolean(),
      comment: fc.option(fc.string({ maxLength: 200 })),
    })
    .map(({ name, content, type, mode, uid, mtime, told, comment }) => {
      const isFile = type === 'file' || type === 'contiguous-file'
      const pax = { ...(comment !== null && { comment }), ...(told && isFile && { size: String(content.length) }) }
      const common = { name, type, mode, uid, gid: uid, mtime: new Date(mtime * 1000), uname: 'who' }
      const linked = type === 'link' || type === 'symlink' ? { linkname: 'elsewhere' } : {}
      const header = { ...common, ...linked, ...(Object.keys(pax).length > 0 && { pax }) } as unknown as Header
      return { header, content: isFile ? content : Buffer.alloc(0) }
    })

function packed(files: readonly File[]): Promise<Buffer> {
  const tar = pack()
  for (const { header, content } of files) tar.entry({ ...header, size: content.length }, content)
  tar.finalize()
  return buffer(tar)
}

async function unpacked(archive: Buffer): Promise<File[]> {
  const tar = extract()
  tar.end(archive)
  const files: File[] = []
  for await (const entry of tar) {
    files.push({ header: entry.header, content: await buffer(entry as unknown as AsyncIterable<Uint8Array>) })
  }
  return files
}

/** As a reader would who knows nothing of archives; of bytes that follow, only those that end a URL. */
function replaced(content: Buffer): Buffer {
  if (content.includes(0)) return content
  const url = /https:\/\/(?:a-remote-of-the\.example\/abcdef|odd\.example)(?=[/"]|$)/g
  return Buffer.from(
    content.toString('latin1').replace(url, (found) => becomes[found] ?? found),
    'latin1',
  )
}

const ended = (...urls: string[]) => fc.constantFrom(...urls.flatMap((url) => [`${url}/`, `${url}"`, `${url}/x/y `]))
const chunking = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 })

/** Reads of these sizes, over and over. */
function inTurn(sizes: readonly number[]): () => number {
  let turn = -1
  return () => {
    turn += 1
    return sizes[turn % sizes.length] as number
  }
}

describe('any tar', () => {
  it('is the same bytes but for the URLs, where these are as long as before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(file(ended(even)), { maxLength: 8 }), async (files) => {
        const before = await packed(files)
        const { bytes } = await rewrite(before, { repositories })
        // In NUL-terminated binaries, and nowhere else, the URL stays.
        const expected = await packed(files.map(({ header, content }) => ({ header, content: replaced(content) })))
        expect(bytes.equals(expected)).toBe(true)
      }),
      limits(300, 15),
    )
  })

  it('has the same members, in order, with the same attributes and other URLs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(file(ended(even, odd)), { maxLength: 8 }), chunking, async (files, sizes) => {
        const before = await packed(files)
        const { bytes } = await rewrite(before, { repositories, atOnce: inTurn(sizes), once: true })
        const were = await unpacked(before)
        const are = await unpacked(bytes)
        const expected = were.map(({ header, content }) => ({
          header: told(header, replaced(content)),
          content: replaced(content),
        }))
        expect(are.map(({ header, content }) => ({ header: told(header, content), content }))).toEqual(expected)
      }),
      limits(200, 15),
    )
  })

  it('gives the same bytes however it comes in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(file(ended(even, odd)), { maxLength: 8 }),
        chunking,
        chunking,
        async (files, one, other) => {
          const tar = await packed(files)
          const gz = gzipSync(tar, { level: 1 })
          const first = await rewrite(gz, { repositories, atOnce: inTurn(one) })
          const second = await rewrite(gz, { repositories, atOnce: inTurn(other), once: true })
          expect(second).toEqual(first)
          if (files.length === 0) return
          const plain = await rewrite(tar, { repositories })
          expect(gunzipSync(first.bytes).equals(plain.bytes)).toBe(true)
          expect(first.outcome).toEqual(plain.outcome)
          // Other ways to pack the same: two members, or another level.
          const half = tar.length >> 1
          const members = Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half), { level: 9 })])
          expect((await rewrite(members, { repositories, atOnce: inTurn(one) })).bytes.equals(first.bytes)).toBe(true)
        },
      ),
      limits(200, 15),
    )
  })

  it('that is garbled anywhere fails or comes out, and never hangs', async () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(file(ended(even)), { minLength: 1, maxLength: 4 }),
        fc.array(damage, { maxLength: 4 }),
        fc.boolean(),
        async (files, damages, zipped) => {
          const tar = await packed(files)
          const garbled = zipped ? gzipSync(tar) : tar
          for (const { at, byte } of damages) garbled[at % garbled.length] = byte
          const result = await rewrite(garbled, { repositories }).catch(
            (error: { readonly code: unknown }) => error.code,
          )
          if (typeof result === 'string') expect(result).toBe('REWRITE_FAILED')
          else expect(result).toMatchObject({ outcome: { kind: expect.any(String) } })
        },
      ),
      limits(300, 15),
    )
  })
})

/** What a header says of a size is the content's; a pax header tells it as text. */
function told(header: Header, { length }: Buffer): Header {
  const pax = header.pax as Readonly<Record<string, string>> | null
  const isFile = header.type === 'file' || header.type === 'contiguous-file'
  return {
    ...header,
    pax: pax?.size === undefined ? pax : { ...pax, size: String(length) },
    size: isFile ? length : header.size,
  } as Header
}
