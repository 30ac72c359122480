import { AwsV4Signer } from 'aws4fetch'
import type { RawHeaders } from '../caching/headers.js'
import type { RemoteAuth } from '../caching/repository.js'

export interface Signable {
  readonly method: 'GET' | 'HEAD'
  readonly origin: URL
  /** Path and query as they go on the wire. */
  readonly path: string
}

/**
 * The fields of an AWS Signature Version 4, made for this instant. They cover method, path, query, host and themselves;
 * `Range`, `If-*` and whatever else a proxy on the way may change stay out of it.
 */
export async function sigv4(
  auth: Extract<RemoteAuth, { scheme: 'sigv4' }>,
  { method, origin, path }: Signable,
): Promise<RawHeaders> {
  const { accessKeyId, secretAccessKey, sessionToken, region, service } = auth
  const signer = new AwsV4Signer({
    ...{ method, url: origin.origin + decodable(path, origin), accessKeyId, secretAccessKey, region, service },
    ...(sessionToken !== undefined && { sessionToken }),
  })
  const { headers } = await signer.sign()
  return [...headers].flat()
}

/**
 * The path in a spelling the signer reads as the remote does. A bare `+` is a blank to Amazon and a plus to all others, and
 * the signer takes it for a blank; `#` would end its URL.
 */
function decodable(path: string, { hostname }: URL): string {
  const [, place = '', query = ''] = /^([^?]*)(.*)$/s.exec(path) ?? []
  const plus = /\.amazonaws\.com(\.cn)?$/.test(hostname) ? '%20' : '%2B'
  return (place.replaceAll('+', plus) + query).replaceAll('#', '%23')
}
