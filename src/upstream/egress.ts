import { BlockList, isIP } from 'node:net'
import { LarderError } from '../errors.js'
import { bareHost, family, type HostPattern, parseHostPattern, parseRange, portOf } from './host.js'

export interface Egress {
  readonly httpProxy?: string
  readonly httpsProxy?: string
  /** As in `NO_PROXY`: `*`, `host`, `.suffix`, each with an optional `:port`; an address; a CIDR range. */
  readonly noProxy: readonly string[]
}

/** The proxy a request for `target` goes through; `undefined` for a direct connection. */
export type ProxyChoice = (target: URL) => URL | undefined

export function proxyChoice({ httpProxy, httpsProxy, noProxy }: Egress): ProxyChoice {
  const http = httpProxy === undefined ? undefined : proxyUrl(httpProxy)
  const https = httpsProxy === undefined ? undefined : proxyUrl(httpsProxy)
  const isDirect = exclusion(noProxy)
  return (target) => (isDirect(target) ? undefined : target.protocol === 'https:' ? https : http)
}

/** A repository's own choice: the same for each target, whatever `NO_PROXY` says. */
export function ownProxy(setting: string): ProxyChoice {
  const proxy = setting === 'direct' ? undefined : proxyUrl(setting)
  return () => proxy
}

/** Without a cause: what URL raises quotes the password. */
function proxyUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new LarderError('INTERNAL', 'the egress proxy set is no http or https URL')
}

function exclusion(noProxy: readonly string[]): (target: URL) => boolean {
  const entries = noProxy.map((entry) => entry.trim()).filter((entry) => entry !== '')
  if (entries.includes('*')) return () => true
  const ranges = new BlockList()
  const patterns: HostPattern[] = []
  for (const entry of entries) {
    const range = parseRange(entry)
    if (range !== undefined) ranges.addSubnet(range.network, range.prefix, family(range.network))
    else patterns.push(parseHostPattern(entry.replace(/^\*?\./, '')))
  }
  return (target) => {
    const host = bareHost(target)
    if (isIP(host) !== 0 && ranges.check(host, family(host))) return true
    const port = portOf(target)
    return patterns.some((pattern) => (pattern.port ?? port) === port && isWithin(host, pattern.host))
  }
}

/** As curl and Go read it: an entry stands for the host and all below it, with or without a leading dot. */
const isWithin = (host: string, suffix: string): boolean =>
  host === suffix || (isIP(host) === 0 && host.endsWith(`.${suffix}`))
