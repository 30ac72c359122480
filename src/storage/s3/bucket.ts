import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { isLarderError, LarderError } from '../../errors.js'
import { isAbsent, isBad, isConflict, isSame } from './answers.js'
import type { Ask, Limits } from './asking.js'
import { type Dialect, quoted } from './dialect.js'

/** The entity tag of an object, bare. */
export type Tag = string

export interface ObjectFacts {
  /** Bytes. */
  readonly size: number
  readonly tag: Tag
  /** When it was written, ms since the epoch by the gateway's clock; whole seconds. */
  readonly modified: number
}

export interface ListedObject extends ObjectFacts {
  readonly name: string
}

/**
 * What is asked of the bucket, object by object. Absence is a value; `STORE_FAULT` says that it could not be asked.
 */
export interface Bucket {
  /** A small object, whole; `same` where its tag still is `known`. */
  get(name: string, known?: Tag): Promise<{ readonly tag: Tag; readonly bytes: Buffer } | 'same' | undefined>
  /** Writes it if its tag is `unless.tag`, or (`undefined` in it) if it is not there; `undefined` where someone was faster. */
  put(name: string, bytes: Uint8Array, unless?: { readonly tag: Tag | undefined }): Promise<Tag | undefined>
  /** `unreadable` where the object as such can't be had. */
  stat(name: string): Promise<ObjectFacts | 'unreadable' | undefined>
  /** Its bytes from `start` to `end` (exclusive), as they come. */
  stream(name: string, start: number, end: number): Promise<Readable | undefined>
  /** Makes it as young as one just written; false where it is gone, or can't be. */
  touch(name: string): Promise<boolean>
  /** Where the gateway can, only if its tag still is `tag`. An absent one is not an error. */
  remove(name: string, tag?: Tag): Promise<void>
  /** All whose name starts with `prefix` and comes behind `after`, in the order of their bytes, page by page. */
  list(prefix: string, after?: string): AsyncGenerator<readonly ListedObject[]>
}

const bare = (tag: string | undefined): Tag => (tag ?? '').replaceAll('"', '')

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('base64')

/** Objects listed at a time; S3 gives no more. */
const pageSize = 1000

/** ms; the gateway writes all of it anew, and answers then. */
const copyDeadline = 60_000

export interface BucketOptions {
  readonly client: S3Client
  readonly bucket: string
  readonly ask: Ask
  /** For what a client waits for. */
  readonly soon: Partial<Limits>
  readonly dialect: Dialect
}

export function openBucket({ client, bucket, ask, soon, dialect }: BucketOptions): Bucket {
  const at = (name: string) => ({ Bucket: bucket, Key: name })
  const write = async (name: string, bytes: Uint8Array, condition: Condition) => {
    try {
      const written = { ...at(name), Body: bytes, ContentMD5: md5(bytes), ...condition }
      const { ETag } = await ask((abortSignal) => client.send(new PutObjectCommand(written), { abortSignal }))
      return bare(ETag)
    } catch (error) {
      if (isConflict(error)) return undefined
      throw faultOf(error)
    }
  }

  const remove = async (name: string, tag?: Tag) => {
    try {
      const removed = { ...at(name), ...(tag && { IfMatch: dialect.ifMatch(tag) }) }
      await ask((abortSignal) => client.send(new DeleteObjectCommand(removed), { abortSignal }))
    } catch (error) {
      // Someone wrote it meanwhile, which is what the condition is for.
      if (!isAbsent(error) && !isConflict(error)) throw faultOf(error)
    }
  }

  return {
    async get(name, known) {
      try {
        const condition = known === undefined ? {} : { IfNoneMatch: quoted(known) }
        return await ask(async (abortSignal) => {
          const wanted = new GetObjectCommand({ ...at(name), ...condition })
          const { ETag, Body } = await client.send(wanted, { abortSignal })
          return { tag: bare(ETag), bytes: Buffer.from((await Body?.transformToByteArray()) ?? []) }
        })
      } catch (error) {
        if (isAbsent(error)) return undefined
        if (isSame(error)) return 'same'
        throw faultOf(error)
      }
    },

    put(name, bytes, unless) {
      if (!unless) return write(name, bytes, {})
      return write(
        name,
        bytes,
        unless.tag === undefined ? { IfNoneMatch: '*' } : { IfMatch: dialect.ifMatch(unless.tag) },
      )
    },

    async stat(name) {
      try {
        const { ContentLength, ETag, LastModified } = await ask(
          (abortSignal) => client.send(new HeadObjectCommand(at(name)), { abortSignal }),
          soon,
        )
        return { size: ContentLength ?? 0, tag: bare(ETag), modified: LastModified?.getTime() ?? 0 }
      } catch (error) {
        if (isAbsent(error)) return undefined
        if (isBad(error)) return 'unreadable'
        throw faultOf(error)
      }
    },

    async stream(name, start, end) {
      try {
        const wanted = { ...at(name), Range: `bytes=${start}-${end - 1}` }
        const { Body } = await ask((abortSignal) => client.send(new GetObjectCommand(wanted), { abortSignal }), soon)
        return Body as Readable
      } catch (error) {
        if (isAbsent(error)) return undefined
        // Archived: its facts are there, its bytes are not.
        if (isBad(error)) throw error
        throw faultOf(error)
      }
    },

    async touch(name) {
      try {
        const CopySource = encodeURIComponent(`${bucket}/${name}`)
        const itself = { ...at(name), CopySource, MetadataDirective: 'REPLACE' } as const
        await ask((abortSignal) => client.send(new CopyObjectCommand(itself), { abortSignal }), {
          deadline: copyDeadline,
        })
        return true
      } catch (error) {
        if (isAbsent(error) || isBad(error)) return false
        throw faultOf(error)
      }
    },

    remove,

    async *list(prefix, after) {
      let StartAfter = after
      for (;;) {
        const listing = { Bucket: bucket, Prefix: prefix, MaxKeys: pageSize, ...(StartAfter && { StartAfter }) }
        const { Contents = [], IsTruncated } = await ask((abortSignal) =>
          client.send(new ListObjectsV2Command(listing), { abortSignal }),
        ).catch((error) => {
          throw faultOf(error)
        })
        const page = Contents.flatMap(({ Key, ETag, Size = 0, LastModified }) =>
          Key === undefined ? [] : [{ name: Key, tag: bare(ETag), size: Size, modified: LastModified?.getTime() ?? 0 }],
        )
        yield page
        StartAfter = page.at(-1)?.name
        if (!IsTruncated || StartAfter === undefined) return
      }
    },
  }
}

/** What the gateway said of an object, and nobody expects. */
const faultOf = (error: unknown) =>
  isLarderError(error) ? error : new LarderError('STORE_FAULT', 'the bucket refuses a request', { cause: error })

interface Condition {
  readonly IfMatch?: string
  readonly IfNoneMatch?: '*'
}
