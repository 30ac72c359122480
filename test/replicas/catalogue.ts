import type { FlappingFile } from '../support/flapping-origin.js'
import { s3ETag } from '../support/origin-answer.js'
import { choices } from '../support/seeded.js'

export const seed = 20_261_127

const mebibyte = 1024 * 1024
const large = [16 * mebibyte, 24 * mebibyte, 32 * mebibyte]
const middling = [mebibyte, 2 * mebibyte, 3 * mebibyte]
/** Bodies that a record holds, bodies that Redis holds, and larger ones. */
const small = [1, 1_000, 16 * 1024, 16 * 1024 + 1, 100_000, 256 * 1024 + 1, 700_000]

const kinds: readonly (readonly [kind: string, sizes: readonly number[], count: number])[] = [
  ['large', large, 3],
  ['middling', middling, 6],
  ['small', small, 41],
]

/** Bytes per second of each body: the larger ones take a while. */
const rate = 4 * mebibyte

export interface Artifact {
  readonly path: string
  readonly body: Buffer
}

/** What the remote has by path: 50 artifacts of noise. */
export function catalogue(): Map<string, FlappingFile> {
  const entries = kinds.flatMap(([kind, sizes, count]) =>
    Array.from({ length: count }, (_, i): [string, FlappingFile] => {
      const { bytes, of } = choices(seed + 1000 * i + count)
      const size = sizes[i % sizes.length] ?? of(sizes)
      return [`/${kind}/${i}.tgz`, fileOf(bytes(size))]
    }),
  )
  return new Map(entries)
}

/** Other bytes of the same length. */
export const renewed = ({ body }: FlappingFile): FlappingFile => fileOf(Buffer.from(body.map((byte) => byte ^ 0xff)))

const fileOf = (body: Buffer): FlappingFile => ({ body, etag: s3ETag(body), rate })

export const artifactsOf = (files: ReadonlyMap<string, FlappingFile>): Artifact[] =>
  [...files].map(([path, { body }]) => ({ path, body }))
