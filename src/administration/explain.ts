import { cacheKey, checkTarget, keyTarget, pathOf, splitArtifactPath } from '../caching/cache-key.js'
import { cacheStatus } from '../caching/cache-status.js'
import { checksumRule, listPath } from '../caching/checksum-rules.js'
import { ruleFor } from '../caching/freshness.js'
import type { Repository } from '../caching/repository.js'
import { rewriteRule } from '../caching/rewrite-rules.js'
import { isRouted, routing } from '../caching/routing.js'
import { LarderError } from '../errors.js'
import { type Foresight, notRouted } from '../proxy/foresight.js'
import type { Proxy as ArtifactProxy } from '../proxy/proxy.js'
import { isUrl, type Place, placeAtRemote, placeOfUrl, splitItem } from '../warming/places.js'
import { type AdministeredStore, variantState } from './catalogue.js'
import { groupSentence, outlookSentence, variantSentence } from './explain-sentences.js'
import type { Explanation, FreshnessExplanation, RepositoryState, VariantExplanation } from './explain-views.js'

export interface ExplainDeps {
  readonly repositories: () => readonly Repository[]
  readonly find: (nameOrAlias: string) => Repository | undefined
  readonly store: Pick<AdministeredStore, 'lookup' | 'lastUse' | 'isPinned'>
  readonly foresee: ArtifactProxy['foresee']
  readonly state: (repository: Repository) => RepositoryState
}

/**
 * What is known of an artifact, and what a GET of it would come to now. `words`: `<repository>/<path>`, its URL here or at
 * the remote. Throws `REPOSITORY_UNKNOWN`, `PATH_INVALID`, `STORE_FAULT`.
 */
export async function explain(deps: ExplainDeps, words: string): Promise<Explanation> {
  const { repository, target: written, foundBy } = locate(deps, words)
  checkTarget(written)
  const target = keyTarget(written, repository.query)
  const key = cacheKey(repository.name, target)
  // As curl would ask.
  const request = { repository, method: 'GET', target: written, headers: ['Accept', '*/*'], leaving: never } as const
  const { foreseen, known, members, sentence } = await outlook(deps, request)
  const record = await deps.store.lookup(key)
  const now = Date.now()
  const lastUse = deps.store.lastUse(key)
  const { remotes, blocked } = deps.state(repository)
  const verdict = routing(repository.routing, written)
  return {
    ...{ repository: repository.name, type: repository.type, foundBy, path: target.slice(1), key },
    query: queryOf(repository, written, target),
    routing: { routed: verdict.routed, rule: verdict.by ?? null },
    freshness: freshnessOf(repository, pathOf(target)),
    checksum: checksumOf(repository, pathOf(target)),
    rewrite: rewriteOf(repository, target),
    ...{ remotes, blocked },
    remoteUrls: repository.remotes.map(({ url }) => url + target),
    stored: (record?.variants ?? []).map((stored): VariantExplanation => {
      const state = variantState(repository, pathOf(target), stored, now)
      const freshUntil = state.ttl === null ? null : new Date(now + state.ttl * 1000).toISOString()
      return { ...state, storedFrom: record?.remote ?? '', freshUntil, why: variantSentence(repository, state, stored) }
    }),
    pinned: deps.store.isPinned(key),
    lastAccess: lastUse === undefined ? null : new Date(lastUse).toISOString(),
    remembered: known
      ? {
          kind: known.kind,
          status: known.kind === 'negative' ? known.status : null,
          seconds: Math.ceil(known.secondsLeft),
        }
      : null,
    next: outcome(foreseen, sentence),
    members,
  }
}

const outcome = ({ action, cache, error }: Foresight, sentence: string) => ({
  ...{ action, cacheStatus: cacheStatus(cache), error: error ?? null, sentence },
})

interface Outlook {
  readonly foreseen: Foresight
  readonly known: Foreseen['known']
  readonly sentence: string
  readonly members: Explanation['members']
}

type Foreseen = Awaited<ReturnType<ExplainDeps['foresee']>>

type Asked = Parameters<ExplainDeps['foresee']>[0]

interface MemberOutlook {
  readonly member: Repository
  readonly foreseen: Foresight
}

async function outlook({ foresee }: ExplainDeps, request: Asked): Promise<Outlook> {
  const { repository } = request
  if (repository.type !== 'group') {
    const { known, ...foreseen } = await foresee(request)
    return { foreseen, known, sentence: outlookSentence(repository, foreseen), members: [] }
  }
  const members = await ofMembers(foresee, request)
  const possible = members.filter(({ foreseen: { action } }) => action !== 'absent' && action !== 'not-routed')
  const [first] = possible
  // Behind one in trouble only what is stored is served.
  const deciding =
    first?.foreseen.action === 'unavailable' ? (possible.find(({ foreseen }) => isStored(foreseen)) ?? first) : first
  const foreseen = isRouted(repository.routing, request.target) ? (deciding?.foreseen ?? nowhere) : notRouted
  return {
    foreseen,
    known: undefined,
    sentence: groupSentence(foreseen, deciding?.member),
    members: members.map(({ member, foreseen }) => ({
      repository: member.name,
      ...outcome(foreseen, outlookSentence(member, foreseen)),
    })),
  }
}

/** A group among the members stands for its own, as far as its routing rules let a request through. */
async function ofMembers(foresee: ExplainDeps['foresee'], request: Asked): Promise<readonly MemberOutlook[]> {
  const members = request.repository.members.map(async (member): Promise<readonly MemberOutlook[]> => {
    const asked = { ...request, repository: member }
    if (member.type === 'group') {
      const others = await ofMembers(foresee, asked)
      const isOpen = isRouted(member.routing, request.target)
      return isOpen ? others : others.map((other) => ({ ...other, foreseen: notRouted }))
    }
    const { known: _, ...foreseen } = await foresee(asked)
    return [{ member, foreseen }]
  })
  return (await Promise.all(members)).flat()
}

const isStored = ({ action }: Foresight) =>
  action === 'hit' || action === 'stale' || action === 'stale-while-revalidate' || action === 'spared'

/** None of a group's members has it. */
const nowhere: Foresight = { action: 'absent', status: 404, cache: { outcome: 'negative' } }

const never = () => new AbortController().signal

type Located = Place & Pick<Explanation, 'foundBy'>

function locate({ repositories, find }: ExplainDeps, words: string): Located {
  if (!isUrl(words)) {
    const { name, target } = splitItem(words.replace(/^\/(?:repository\/)?/, ''))
    return named(find, name, target)
  }
  const atRemote = placeAtRemote(words, repositories())
  if (atRemote) return { ...atRemote, foundBy: 'remote' }
  const ours = splitArtifactPath(words)
  if (ours && find(ours.name)) return named(find, ours.name, ours.target)
  const byHost = placeOfUrl(words, repositories())
  if (byHost) return { ...byHost, foundBy: 'alias' }
  throw new LarderError('REPOSITORY_UNKNOWN', 'no repository stands for that URL: none has a remote it begins with')
}

function named(find: ExplainDeps['find'], name: string, target: string): Located {
  const repository = find(name)
  if (!repository) throw new LarderError('REPOSITORY_UNKNOWN', `no repository or alias is named "${name}"`)
  return { repository, target, foundBy: name === repository.name ? 'name' : 'alias' }
}

function queryOf({ query }: Repository, written: string, target: string): Explanation['query'] {
  const queryIn = (text: string) => (text.includes('?') ? text.slice(text.indexOf('?') + 1) : null)
  return {
    policy: typeof query === 'string' ? query : `drop ${query.drop.join(', ')}`,
    asked: queryIn(written),
    keyed: queryIn(target),
  }
}

function freshnessOf({ caching }: Repository, path: string): FreshnessExplanation {
  const rule = ruleFor(path, caching)
  const seconds = (value: number) => (Number.isFinite(value) ? value : null)
  if (rule) return { by: 'rule', match: rule.match, maxAge: seconds(rule.maxAge), force: rule.force }
  // A plain shared cache has no lifetime of its own to give.
  if (caching.profile === 'rfc9111') return { by: 'remote', match: null, maxAge: null, force: false }
  return { by: 'remote-or-default', match: null, maxAge: seconds(caching.maxAge), force: false }
}

function rewriteOf(repository: Repository, target: string): Explanation['rewrite'] {
  const rule = rewriteRule(repository, target)
  return rule ? { match: rule.match, members: rule.in.map(({ match }) => match) } : null
}

function checksumOf({ integrity }: Repository, path: string): Explanation['checksum'] {
  const rule = checksumRule(path, integrity)
  if (!rule) return null
  const { match, required, expected } = rule
  const listed = expected.kind === 'listed'
  return { match, required, sha256: listed ? null : expected.sha256, list: listed ? listPath(expected.in, path) : null }
}
