import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { Ask } from './asking.js'
import type { Tag } from './bucket.js'
import { inLanes } from './lanes.js'

/** A file as it is to be uploaded: in parts, each with its MD5, which the gateway compares. */
export interface Parcel {
  readonly file: string
  /** Bytes. */
  readonly size: number
  readonly parts: readonly Part[]
  /** What the object's tag is when it was uploaded so, where nothing encrypts it. */
  readonly tag: Tag
}

interface Part {
  readonly start: number
  /** Exclusive. */
  readonly end: number
  readonly md5: Buffer
}

export interface UploadOptions {
  readonly client: S3Client
  readonly bucket: string
  readonly ask: Ask
  /** Tells nobody of the bucket's health. */
  readonly askAnyway: Ask
}

/** Bytes; a file of at most one part is put in one go. */
export const partSize = 16 * 1024 * 1024

/** S3 takes no more of them. */
const mostParts = 10_000

const partsAtOnce = 3

/** ms; a part goes at 300 KiB/s at least. */
const partDeadline = 60_000

/** Bytes digested between turns of everything else. */
const digestedAtOnce = 1024 * 1024

/** Reads the file once, for what is to be known before its first byte is sent. */
export async function packed(file: string): Promise<Parcel> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const length = Math.max(partSize, Math.ceil(size / mostParts))
    const parts: Part[] = []
    for (let start = 0; start === 0 || start < size; start += length) {
      const end = Math.min(size, start + length)
      parts.push({ start, end, md5: await md5Of(handle, start, end) })
    }
    return { file, size, parts, tag: tagOf(parts) }
  } finally {
    await handle.close()
  }
}

async function md5Of(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const hash = createHash('md5')
  const buffer = Buffer.allocUnsafe(Math.min(digestedAtOnce, end - start))
  for (let at = start; at < end; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at)
    if (bytesRead === 0) throw new Error('the staged file is shorter than it was')
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash.digest()
}

/** As S3 makes it of the parts' MD5s. */
function tagOf(parts: readonly Part[]): Tag {
  const [only] = parts
  if (parts.length === 1 && only) return only.md5.toString('hex')
  const all = Buffer.concat(parts.map(({ md5 }) => md5))
  return `${createHash('md5').update(all).digest('hex')}-${parts.length}`
}

/** Nothing is readable under the name until all of it is there. `sha256` is compared by those gateways that can. */
export async function upload(options: UploadOptions, name: string, parcel: Parcel, sha256: string): Promise<void> {
  const { client, bucket, ask } = options
  const [only] = parcel.parts
  if (parcel.parts.length > 1 || !only) return uploadParts(options, name, parcel)
  const object = { Bucket: bucket, Key: name, ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') }
  await send(ask, parcel, only, (body, abortSignal) =>
    client.send(new PutObjectCommand({ ...object, ...body }), { abortSignal }),
  )
}

async function uploadParts({ client, bucket, ask }: UploadOptions, name: string, parcel: Parcel): Promise<void> {
  const object = { Bucket: bucket, Key: name }
  const { UploadId } = await ask((abortSignal) =>
    client.send(new CreateMultipartUploadCommand(object), { abortSignal }),
  )
  const uploading = { ...object, UploadId }
  try {
    const done: CompletedPart[] = []
    await inLanes(parcel.parts.entries(), partsAtOnce, async ([i, part]) => {
      const { ETag } = await send(ask, parcel, part, (body, abortSignal) =>
        client.send(new UploadPartCommand({ ...uploading, PartNumber: i + 1, ...body }), { abortSignal }),
      )
      done[i] = { ETag, PartNumber: i + 1 }
    })
    // One that was cut may have come through all the same; a second would be told that there is no such upload.
    const completion = new CompleteMultipartUploadCommand({ ...uploading, MultipartUpload: { Parts: done } })
    await ask((abortSignal) => client.send(completion, { abortSignal }), { attempts: 1, deadline: partDeadline })
  } catch (error) {
    const abort = new AbortMultipartUploadCommand(uploading)
    await ask((abortSignal) => client.send(abort, { abortSignal })).catch(() => {})
    throw error
  }
}

interface PartBody {
  readonly Body: Readable
  readonly ContentLength: number
  readonly ContentMD5: string
}

/** A stream of its own for each try, which ends with it; the gateway refuses what its MD5 does not fit. */
async function send<T>(
  ask: Ask,
  { file, size }: Parcel,
  { start, end, md5 }: Part,
  request: (body: PartBody, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const result = await ask(
    async (signal) => {
      const Body = size === 0 ? Readable.from([]) : createReadStream(file, { start, end: end - 1 })
      const unreadable = new AbortController()
      Body.on('error', (error: Error) => unreadable.abort(error))
      const body = { Body, ContentLength: end - start, ContentMD5: md5.toString('base64') }
      try {
        return { answer: await request(body, AbortSignal.any([signal, unreadable.signal])) }
      } catch (error) {
        // No fault of the gateway's: it would not be better for being asked again.
        if (unreadable.signal.aborted) return { fault: unreadable.signal.reason as unknown }
        throw error
      } finally {
        Body.destroy()
      }
    },
    { deadline: partDeadline },
  )
  if ('fault' in result) throw result.fault
  return result.answer
}

/**
 * Ends what began under the prefix before (ms since the epoch) and never became whole, as far as we may: who may not look for it
 * has a rule of the bucket for that.
 */
export async function abandonUploads(options: UploadOptions, prefix: string, before: number): Promise<void> {
  const { client, bucket, askAnyway: ask } = options
  try {
    const listing = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix })
    // A page is as much as a crash, or many, leave in a day.
    const { Uploads = [] } = await ask((abortSignal) => client.send(listing, { abortSignal }))
    for (const { Key, UploadId, Initiated } of Uploads) {
      if ((Initiated?.getTime() ?? before) >= before) continue
      const abort = new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })
      await ask((abortSignal) => client.send(abort, { abortSignal }))
    }
  } catch {
    // The next sweep tries again.
  }
}
