import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startRadosgw } from './radosgw.js'

/** An S3-compatible server for the tests of one file, with credentials in this process's environment, and a bucket. */
export interface Gateway {
  readonly url: string
  readonly bucket: string
  dispose(): Promise<void>
}

/** The one of `LARDER_TEST_S3_ENDPOINT`, or one of our own: ask `missing(...radosgwPrograms)` before. */
export async function openGateway(): Promise<Gateway> {
  const { LARDER_TEST_S3_ENDPOINT: given, LARDER_TEST_S3_ACCESS_KEY, LARDER_TEST_S3_SECRET_KEY } = process.env
  const bucket = `larder-${Date.now().toString(36)}`
  const own = given === undefined ? await startRadosgw() : undefined
  const credentials = {
    AWS_ACCESS_KEY_ID: own?.accessKeyId ?? LARDER_TEST_S3_ACCESS_KEY ?? '',
    AWS_SECRET_ACCESS_KEY: own?.secretAccessKey ?? LARDER_TEST_S3_SECRET_KEY ?? '',
  }
  Object.assign(process.env, credentials)
  const url = own?.url ?? given ?? ''
  await makeBucket(url, bucket)
  return { url, bucket, dispose: async () => own?.dispose() }
}

async function makeBucket(url: string, bucket: string): Promise<void> {
  const { S3Client, CreateBucketCommand } = await import('@aws-sdk/client-s3')
  const client = new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
}

/** What becomes of a request on its way to the gateway. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly code?: string }
  /** A bit of its body is another on its way. */
  | { readonly kind: 'flip' }
  /** Its answer is lost after the gateway has done it. */
  | { readonly kind: 'lost' }
  /** Its answer ends in a reset after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** No answer, ever. */
  | { readonly kind: 'silent' }
  /** Its connection is broken before any of its body is taken. */
  | { readonly kind: 'broken' }
  /** It is passed on so many ms later. */
  | { readonly kind: 'late'; readonly by: number }

interface Seen {
  readonly method: string
  /** The object's name and the query, as they were sent. */
  readonly path: string
  readonly range: string | undefined
}

/** A reverse proxy in front of a gateway, for what a gateway does on a bad day. Signatures stay good: it keeps `Host`. */
export interface FaultyGateway {
  readonly url: string
  readonly seen: readonly Seen[]
  /** What answers from now on; `undefined` from it lets the request pass. */
  fault(decide: ((seen: Seen) => Fault | undefined) | undefined): void
  close(): Promise<void>
}

export async function faultyGateway(target: string): Promise<FaultyGateway> {
  const seen: Seen[] = []
  let decide: ((seen: Seen) => Fault | undefined) | undefined
  const server = createServer((incoming, outgoing) => {
    const one = { method: incoming.method ?? '', path: incoming.url ?? '', range: incoming.headers.range }
    seen.push(one)
    // A silent one takes what is sent, like a stopped process whose kernel goes on.
    const fault = decide?.(one)
    if (fault?.kind === 'silent') return void incoming.resume()
    if (fault?.kind === 'broken') return void incoming.socket.destroy()
    if (fault?.kind === 'status') return refuse(incoming, outgoing, fault)
    if (fault?.kind === 'late') return void setTimeout(() => pass(target, incoming, outgoing, fault), fault.by)
    pass(target, incoming, outgoing, fault)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    fault(next) {
      decide = next
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Refusal = Extract<Fault, { kind: 'status' }>

function refuse(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { status, code = `Fault${status}` }: Refusal,
): void {
  incoming.resume()
  const body = incoming.method === 'HEAD' || status === 200 ? '' : `<Error><Code>${code}</Code></Error>`
  outgoing.writeHead(status, { 'content-type': 'application/xml', etag: '"0"' })
  outgoing.end(body)
}

function pass(target: string, incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): void {
  const { hostname, port } = new URL(target)
  const { method, url: path, headers } = incoming
  const through = request({ hostname, port, method, path, headers, agent: false })
  through.on('error', () => outgoing.destroy())
  through.on('continue', () => outgoing.writeContinue())
  outgoing.on('close', () => through.destroy())
  through.on('response', (answer) => {
    if (fault?.kind === 'lost') {
      answer.resume().on('end', () => outgoing.destroy())
      return
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders as unknown as Record<string, string>)
    if (fault?.kind !== 'cut') return void answer.pipe(outgoing)
    let left = fault.after
    answer.on('data', (chunk: Buffer) => {
      outgoing.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left <= 0) setImmediate(() => outgoing.destroy())
    })
  })
  if (fault?.kind !== 'flip') return void incoming.pipe(through)
  incoming.on('data', (chunk: Buffer) => {
    chunk.writeUInt8(chunk.readUInt8(0) ^ 1, 0)
    through.write(chunk)
  })
  incoming.on('end', () => through.end())
}
