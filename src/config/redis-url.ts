import type { RedisLogin, RedisNode, RedisPlace } from '../storage/redis-place.js'
import { isHost } from './names.js'

const form = /^(redis|rediss)(-sentinel|-cluster)?:\/\/(?:([^/?#]*)@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/

/**
 * `redis://[user[:password]@]host[:port][/database]`, `redis-sentinel://...@host,host/master[/database]` or
 * `redis-cluster://...@host,host`; `rediss` in front is TLS. `undefined` for anything else: nothing in it is ignored.
 */
export function parseRedisUrl(text: string): RedisPlace | undefined {
  const [, scheme, topology, userinfo = '', hosts = '', path = '', query = ''] = form.exec(text) ?? []
  const entry = entryOf(userinfo)
  // Where there are several hosts, an @ is that of a user in front of each of them.
  if (scheme === undefined || !entry || (topology && userinfo.includes('@'))) return undefined
  const access = { tls: scheme === 'rediss', login: entry.login }
  if (topology === '-sentinel') return sentinelPlace(access, hosts, path, query)
  const nodes = nodesOf(hosts, 6379)
  if (!nodes || query !== '') return undefined
  if (topology === '-cluster') return path === '' ? { kind: 'cluster', ...access, nodes } : undefined
  const [node, ...others] = nodes
  const database = databaseOf(path)
  if (!node || others.length > 0 || database === undefined) return undefined
  return { kind: 'single', ...access, node, database }
}

function sentinelPlace(
  access: Pick<RedisPlace, 'tls' | 'login'>,
  hosts: string,
  path: string,
  query: string,
): RedisPlace | undefined {
  const [name = '', number = '', ...more] = path.split('/')
  const sentinels = nodesOf(hosts, 26379)
  const master = decoded(name)
  const database = databaseOf(number)
  const entry = sentinelEntryOf(query)
  if (!sentinels || !master || database === undefined || more.length > 0 || !entry) return undefined
  return { kind: 'sentinel', ...access, sentinels, master, database, sentinelLogin: entry.login }
}

interface Entry {
  readonly login: RedisLogin | undefined
}

function entryOf(userinfo: string): Entry | undefined {
  const [, user = '', secret = ''] = /^([^:]*):?(.*)$/.exec(userinfo) ?? []
  const username = decoded(user)
  const password = decoded(secret)
  if (username === undefined || password === undefined) return undefined
  if (username === '') return { login: password === '' ? undefined : { password } }
  return { login: { username, password } }
}

/** The Sentinels have users of their own, so the one of the servers behind them is never shown to them. */
function sentinelEntryOf(query: string): Entry | undefined {
  if (query === '') return { login: undefined }
  const sorted = query.split('&').sort().join('&')
  const [, secret, user] = /^sentinelPassword=([^&]+)(?:&sentinelUsername=([^&]+))?$/.exec(sorted) ?? []
  return secret === undefined ? undefined : entryOf(`${user ?? ''}:${secret}`)
}

function nodesOf(list: string, standardPort: number): RedisNode[] | undefined {
  const hosts = list.toLowerCase().split(',')
  if (!hosts.every(isHost)) return undefined
  return hosts.map((text) => {
    const [, bracketed, name, port = standardPort] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? []
    return { host: bracketed ?? name ?? text, port: Number(port) }
  })
}

function databaseOf(text: string): number | undefined {
  return /^\d{0,5}$/.test(text) ? Number(text) : undefined
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
