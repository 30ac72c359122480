import { BlockList, isIP, type LookupFunction } from 'node:net'
import { LarderError } from '../errors.js'
import { bareHost, family, parseHostPattern, parseRange, portOf } from './host.js'

/**
 * How far an address reaches. `private`: this machine or this site (a site's own remotes may redirect within it).
 * `forbidden`: metadata services, link-local and what is no host at all; no redirect has business there.
 */
export type Reach = 'public' | 'private' | 'forbidden'

type Subnet = readonly [network: string, prefix: number]

const privateIpv4: readonly Subnet[] = [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10], // carrier-grade NAT, RFC 6598
  ['198.18.0.0', 15], // benchmarks, RFC 2544; some VPN clients hand it out for every name
]

const forbiddenIpv4: readonly Subnet[] = [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16], // link-local, and the metadata service of most clouds
  ['100.100.100.200', 32], // Alibaba's metadata service
  ['168.63.129.16', 32], // Azure's
  ['192.0.0.0', 24], // protocol assignments, RFC 6890; Oracle's metadata service
  ['192.0.2.0', 24], // documentation, as the two below; RFC 5737
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['192.88.99.0', 24], // 6to4 relays, RFC 7526
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
]

const privateIpv6: readonly Subnet[] = [
  ['::1', 128],
  ['fc00::', 7],
]

const forbiddenIpv6: readonly Subnet[] = [
  ['fd00:ec2::', 32], // Amazon's metadata service, and that of the credentials of pods
  ['fd20:ce::254', 128], // Google's
  ['fd00:c1::a9fe:a9fe', 128], // Oracle's
  ['fd00:42::42', 128], // Scaleway's
  ['2001::', 23], // protocol assignments, Teredo among them, which hides an IPv4 address
  ['2001:db8::', 32],
  ['3fff::', 20], // documentation, RFC 9637
]

/** Global unicast, and the two forms that carry an IPv4 address; whatever else IPv6 has is not public. */
const globalIpv6 = blockList(
  [],
  [
    ['2000::', 3],
    ['::ffff:0:0', 96],
    ['64:ff9b::', 96],
  ],
)
const forbidden = blockList(forbiddenIpv4, forbiddenIpv6)
const inside = blockList(privateIpv4, privateIpv6)

/** Each IPv4 subnet also as the IPv6 networks that lead to it; the mapped form `::ffff:a.b.c.d` BlockList knows by itself. */
function blockList(ipv4: readonly Subnet[], ipv6: readonly Subnet[]): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of ipv4) {
    list.addSubnet(network, prefix, 'ipv4')
    list.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6') // NAT64, RFC 6052
    list.addSubnet(sixToFour(network), 16 + prefix, 'ipv6')
  }
  for (const [network, prefix] of ipv6) list.addSubnet(network, prefix, 'ipv6')
  return list
}

/** RFC 3056: the IPv4 address follows the first 16 bits. */
function sixToFour(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number)
  return `2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::`
}

/** `address` is an IP address in any valid spelling, a zone (`%eth0`) allowed; what is none is `forbidden`. */
export function reachOf(address: string): Reach {
  const bare = address.replace(/%.*$/, '')
  if (isIP(bare) === 0) return 'forbidden'
  if (forbidden.check(bare, family(bare))) return 'forbidden'
  if (inside.check(bare, family(bare))) return 'private'
  return isIP(bare) === 4 || globalIpv6.check(bare, 'ipv6') ? 'public' : 'forbidden'
}

const metadataNames: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'instance-data.ec2.internal',
])

/** What only a site's own resolver knows: names of one label, and those below what is kept for sites. */
const siteNames = /^[^.]+$|(^|\.)(localhost|localdomain|local|internal|intranet|lan|home\.arpa|svc)$/

/** How far a URL's host reaches, told from the URL alone; `undefined` for a name that says nothing about it. */
export function reachOfHost(url: URL): Reach | undefined {
  const host = bareHost(url)
  if (isIP(host) !== 0) return reachOf(host)
  if (metadataNames.has(host)) return 'forbidden'
  return siteNames.test(host) ? 'private' : undefined
}

export interface RedirectRules {
  /** How far the redirecting host reaches, by the address really connected to. */
  readonly from: 'public' | 'private'
  /** `host`, `host:port` or CIDR range. */
  readonly allow: readonly string[]
  /** URLs; a redirect to one of their hosts is always followed. */
  readonly remotes: readonly string[]
}

/** Where one redirect may lead (U5). Both must hold: the URL before the request is made, the address at connect. */
export interface RedirectGuard {
  admitsUrl(): boolean
  admitsAddress(address: string): boolean
}

export function redirectGuard(target: URL, rules: RedirectRules): RedirectGuard {
  if (isNamed(target, rules)) return { admitsUrl: () => true, admitsAddress: () => true }
  const ranges = allowedRanges(rules.allow)
  const admits = (reach: Reach) => reach === 'public' || (reach === 'private' && rules.from === 'private')
  const admitsAddress = (address: string) => admits(reachOf(address)) || ranges.check(address, family(address))
  const host = bareHost(target)
  return {
    admitsAddress,
    admitsUrl: () => (isIP(host) === 0 ? admits(reachOfHost(target) ?? 'public') : admitsAddress(host)),
  }
}

function isNamed(target: URL, { allow, remotes }: RedirectRules): boolean {
  const host = bareHost(target)
  const port = portOf(target)
  return (
    remotes.some((remote) => bareHost(new URL(remote)) === host && portOf(new URL(remote)) === port) ||
    allow.map(parseHostPattern).some((pattern) => pattern.host === host && (pattern.port ?? port) === port)
  )
}

function allowedRanges(allow: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of allow) {
    const range = parseRange(entry)
    if (range !== undefined) list.addSubnet(range.network, range.prefix, family(range.network))
    else if (isIP(entry) !== 0) list.addAddress(entry, family(entry))
  }
  return list
}

/**
 * Wraps a look-up so that the addresses checked are the very ones connected to; a second look-up (DNS rebinding) never
 * happens. One bad address refuses the name: no honest public name has any.
 */
export function guardedLookup(lookup: LookupFunction, guard: RedirectGuard): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, ipFamily) => {
      const found = typeof address === 'string' ? [address] : (address ?? []).map((each) => each.address)
      if (error !== null || found.every(guard.admitsAddress)) callback(error, address, ipFamily)
      else callback(refused(hostname), '')
    })
  }
}

export const refused = (host: string): LarderError =>
  new LarderError('REDIRECT_REFUSED', `a redirect to ${host}, which is not a public address, is not followed`)
