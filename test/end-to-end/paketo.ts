type Mirrors = Readonly<Record<string, string>>

const all = 'BP_DEPENDENCY_MIRROR'

/**
 * Where Paketo fetches a dependency from (packit's rules; libpak's are the same but for the query): the mirror of its host,
 * else that of all hosts. Of its URL the path is kept, decoded and encoded anew: so `%2B` becomes `+`.
 */
export function mirrored(uri: string, mirrors: Mirrors): string {
  const { hostname, pathname } = new URL(uri)
  const own = Object.entries(mirrors).find(([name]) => name !== all && uri.includes(hostOf(name)))
  const mirror = own?.[1] ?? mirrors[all]
  if (mirror === undefined) return uri
  if (!/^https:/i.test(mirror)) throw new Error('invalid mirror scheme')
  return mirror.replace('{originalHost}', hostname) + encodedPath(decodeURIComponent(pathname))
}

const hostOf = (name: string): string =>
  name.slice(`${all}_`.length).replaceAll('__', '-').replaceAll('_', '.').toLowerCase()

/** As Go encodes a path. */
const encodedPath = (path: string): string =>
  path.replaceAll(/[^\w\-.~$&+,/:;=@]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
