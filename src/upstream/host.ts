import { isIP } from 'node:net'

/** A URL's host name without the brackets of IPv6 and without the root's trailing dot; lower case, as URL makes it. */
export const bareHost = (url: URL): string => stripHost(url.hostname)

const stripHost = (host: string): string => host.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')

export const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'https:' ? 443 : 80)

export const family = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

export interface HostPattern {
  readonly host: string
  /** Any port where undefined. */
  readonly port: number | undefined
}

/** Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. */
export function parseHostPattern(text: string): HostPattern {
  if (isIP(text) === 6) return { host: canonicalHost(`[${text}]`), port: undefined }
  const parts = /^(.*?)(?::(\d+))?$/.exec(text)
  return { host: canonicalHost(parts?.[1] ?? text), port: parts?.[2] === undefined ? undefined : Number(parts[2]) }
}

export interface Range {
  readonly network: string
  readonly prefix: number
}

/** Reads `10.0.0.0/8` or `fd00::/8`; `undefined` for anything else. */
export function parseRange(text: string): Range | undefined {
  const [network = '', prefix = '', more] = text.split('/')
  const bits = isIP(network) === 4 ? 32 : isIP(network) === 6 ? 128 : undefined
  if (bits === undefined || more !== undefined || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) return undefined
  return { network, prefix: Number(prefix) }
}

/** One spelling per host, URL's own: `[::0:1]` and `[::1]`, `Example.org` and `example.org` are the same. */
function canonicalHost(host: string): string {
  return URL.canParse(`http://${host}/`) ? bareHost(new URL(`http://${host}/`)) : host.toLowerCase()
}
