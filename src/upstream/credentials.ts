import { field, type RawHeaders } from '../caching/headers.js'
import type { RemoteAccess, RemoteAuth } from '../caching/repository.js'
import { LarderError } from '../errors.js'
import { type Signable, sigv4 } from './sigv4.js'

/**
 * The fields of a request with those its remote asks for (U6), which come before any the client sent by the same name.
 * Made for each request anew: a signature covers path and time.
 */
export async function withCredentials(
  headers: RawHeaders,
  access: RemoteAccess,
  request: Signable,
): Promise<RawHeaders> {
  const own = [...access.headers, ...(await proof(access.auth, request))]
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (field(own, name.toLowerCase()) === undefined) kept.push(name, headers[i + 1] as string)
  }
  return [...kept, ...own]
}

async function proof(auth: RemoteAuth | undefined, request: Signable): Promise<RawHeaders> {
  switch (auth?.scheme) {
    case undefined:
      return []
    case 'basic':
      return ['Authorization', basic(auth.username, auth.password)]
    case 'bearer':
      return ['Authorization', `Bearer ${auth.token}`]
    case 'sigv4':
      return sigv4(auth, request).catch(() => {
        // Without its cause: what is raised for a malformed key or token quotes it.
        throw new LarderError(
          'INTERNAL',
          `${request.origin.host}: the request cannot be signed with the credentials set`,
        )
      })
  }
}

/** RFC 7617, in UTF-8. */
export const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
