import type { Profile, Repository } from '../caching/repository.js'
import { remotesOf } from './remotes.js'
import {
  type CompleteSettings,
  completeSettings,
  type OwnSettings,
  type SharedSettings,
} from './repository-settings.js'

const common = {
  format: 'raw',
  blocked: false,
  allow: [],
  block: [],
  query: 'forward',
  freshness: [],
  targetedFields: [],
  staleWhileRevalidate: '0s',
  timeout: { connect: '3s', headers: '10s', stall: '30s' },
  retry: { attempts: 3, budget: '20s', resumes: 5 },
  checksums: [],
  rewrite: [],
  maxSize: 'unlimited',
  unusedFor: 'forever',
  maxRedirects: 5,
  breaker: { failures: 5, openFor: '15s', maxOpenFor: '5m' },
  redirects: { allow: [] },
}

/** What holds where neither the repository nor `defaults` says otherwise, in the notation of repositories.yaml. */
export const profileDefaults = {
  artifact: {
    ...common,
    profile: 'artifact',
    maxAge: '24h',
    forwardRequestHeaders: ['accept'],
    clientCacheControl: 'ignore',
    maxStale: 'forever',
    keepOnUpstreamMissing: true,
    typeGuard: true,
    negative: { ttl: '60s', forbiddenTtl: '10s' },
  },
  rfc9111: {
    ...common,
    profile: 'rfc9111',
    maxAge: '0s',
    forwardRequestHeaders: 'all',
    clientCacheControl: 'honour',
    maxStale: '0s',
    keepOnUpstreamMissing: false,
    typeGuard: false,
    negative: { ttl: '0s', forbiddenTtl: '0s' },
  },
} as const satisfies Readonly<Record<Profile, object>>

/** Settings that contradict a plain shared cache: it knows no lifetime and no stale copy but what the remote allows. */
export const artifactOnly = [
  'freshness',
  'maxAge',
  'maxStale',
  'keepOnUpstreamMissing',
  'negative',
  'staleWhileRevalidate',
  'rewrite',
] as const

export function buildRepositories(
  own: Readonly<Record<string, OwnSettings>>,
  shared: SharedSettings,
): readonly Repository[] {
  const base = {
    artifact: completeSettings.parse(profileDefaults.artifact),
    rfc9111: completeSettings.parse(profileDefaults.rfc9111),
  }
  const build = (name: string, members: readonly Repository[]) => {
    const settings = own[name] as OwnSettings
    const profile = settings.profile ?? shared.profile ?? 'artifact'
    return {
      ...asRepository(name, settings, shared, overlay(base[profile], inheritable(shared, profile), settings)),
      members,
    }
  }
  const names = Object.keys(own)
  const built = new Map<string, Repository>()
  const get = (name: string): Repository => {
    const known = built.get(name) ?? build(name, (own[name]?.members ?? []).map(get))
    built.set(name, known)
    return known
  }
  return deepFreeze(names.map(get))
}

/** `defaults` are written for all repositories, so what a plain shared cache may not have just passes it by. */
function inheritable(shared: SharedSettings, profile: Profile): SharedSettings {
  if (profile === 'artifact') return shared
  const rest = { ...shared }
  for (const setting of artifactOnly) delete rest[setting]
  return rest
}

/** Explicit over `defaults` over profile; groups field by field, lists as a whole. */
function overlay(base: CompleteSettings, shared: SharedSettings, own: OwnSettings): CompleteSettings {
  return {
    ...base,
    ...shared,
    ...own,
    negative: { ...base.negative, ...shared.negative, ...own.negative },
    timeout: { ...base.timeout, ...shared.timeout, ...own.timeout },
    retry: { ...base.retry, ...shared.retry, ...own.retry },
    breaker: { ...base.breaker, ...shared.breaker, ...own.breaker },
    redirects: { ...base.redirects, ...shared.redirects, ...own.redirects },
  }
}

function asRepository(
  name: string,
  own: OwnSettings,
  shared: SharedSettings,
  settings: CompleteSettings,
): Omit<Repository, 'members'> {
  const { type = 'proxy', redeploy = false, aliases = [] } = own
  const { format, profile, blocked, allow, block, forwardRequestHeaders } = settings
  // Nothing is uploaded with a query (H3), so none tells two artifacts apart.
  const query = type === 'hosted' ? 'ignore' : settings.query
  const { timeout, retry, breaker, maxRedirects, redirects } = settings
  const { typeGuard, checksums, rewrite, maxSize, unusedFor } = settings
  const { freshness, maxAge, targetedFields, clientCacheControl } = settings
  const { staleWhileRevalidate, maxStale, keepOnUpstreamMissing, negative } = settings
  return {
    ...{ name, aliases, format, type, profile, blocked, query, forwardRequestHeaders, redeploy, rewrite },
    remotes: remotesOf(own, shared),
    routing: { allow, block },
    integrity: { typeGuard, checksums },
    retention: { maxSize, unusedFor },
    caching: {
      ...{ profile, freshness, maxAge, targetedFields, clientCacheControl },
      ...{ staleWhileRevalidate, maxStale, keepOnUpstreamMissing, negative },
    },
    upstream: { timeout, retry, breaker, maxRedirects, redirects },
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}

/** Looks a repository up by its name or one of its aliases; names are compared exactly. */
export function repositoryIndex(repositories: readonly Repository[]): (nameOrAlias: string) => Repository | undefined {
  const byName = new Map<string, Repository>()
  for (const repository of repositories) {
    for (const name of [repository.name, ...repository.aliases]) byName.set(name, repository)
  }
  return (nameOrAlias) => byName.get(nameOrAlias)
}
