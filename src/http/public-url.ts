import type { IncomingMessage } from 'node:http'
import { hostname } from 'node:os'

/** What our own URLs begin with for whoever sent a request; `undefined` where his `Host` is not known to be ours. */
export type PublicUrl = (request: IncomingMessage) => string | undefined

export interface PublicUrlSettings {
  /** For requests that name none of the hosts. */
  readonly publicUrl: string | undefined
  /** `host` (on the port a request came to, or the scheme's own) or `host:port`, in lower case. */
  readonly publicHosts: readonly string[]
}

/**
 * Nobody can have URLs of a host of his choice made, and kept: what a request names is taken only if it is configured, or, where
 * nothing is, if it stands for this machine.
 */
export function createPublicUrl(settings: () => PublicUrlSettings): PublicUrl {
  const here = ['localhost', '127.0.0.1', '[::1]', hostname().toLowerCase()]
  return (request) => {
    const host = request.headers.host?.toLowerCase()
    const { publicUrl, publicHosts } = settings()
    const scheme = 'encrypted' in request.socket ? 'https' : 'http'
    const ports = { ours: request.socket.localPort, standard: standardPorts[scheme] }
    const names = (hosts: readonly string[]) => host !== undefined && isAmong(host, hosts, ports)
    if (!names(publicHosts) && (publicUrl !== undefined || !names(here))) return publicUrl
    return `${scheme}://${host}`
  }
}

const standardPorts = { http: 80, https: 443 } as const

interface Ports {
  readonly ours: number | undefined
  /** Left out by clients (RFC 9110 §4.2.3). */
  readonly standard: number
}

function isAmong(host: string, hosts: readonly string[], { ours, standard }: Ports): boolean {
  return hosts.some((known) => host === known || host === `${known}:${ours}` || `${host}:${standard}` === known)
}
