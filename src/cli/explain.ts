import type { Explanation, VariantExplanation } from '../administration/explain-views.js'
import type { ApiClient } from './api-client.js'
import { duration, fields, json, minute, printable, size, type Terminal } from './terminal.js'

/** `words`: `<repository>/<path>`, or the artifact's URL, here or at its remote. */
export async function explain(api: ApiClient, terminal: Terminal, words: string, asJson: boolean): Promise<void> {
  const found = await api.get<Explanation>('/explain', { artifact: words })
  if (asJson) return terminal.out(json(found))
  const { repository, type, path, checksum, remembered, next, lastAccess, pinned } = found
  terminal.out(
    fields([
      ['artifact', printable(`${repository}/${path}`)],
      ['repository', `${repository} (${type}, ${foundBy[found.foundBy]})`],
      ['routing', routingText(found)],
      ['freshness', type === 'proxy' ? freshnessText(found) : 'never stale'],
      ['checksum', checksum ? `${checksum.match}: ${checksumText(checksum)}` : 'no rule'],
      [
        'rewriting',
        found.rewrite ? `rule ${found.rewrite.match}: members ${found.rewrite.members.join(', ')}` : 'no rule',
      ],
      ['key', printable(found.key)],
      ['query', queryText(found)],
      ...remoteLines(found),
      ['stored', found.stored.length === 0 ? 'no' : variantsText(found.stored.length)],
      ['pinned', pinned ? 'yes' : 'no'],
      ['last used', minute(lastAccess)],
      [
        'remembered',
        remembered ? `${notes[remembered.kind](remembered.status)}, for ${remembered.seconds}s` : 'nothing',
      ],
    ]),
  )
  for (const variant of found.stored) terminal.out(`\n${variantFields(variant)}`)
  for (const member of found.members) terminal.out(`\n${member.repository}: ${member.sentence}`)
  terminal.out(`${found.members.length > 0 ? '\n' : ''}\n${next.sentence}\n`)
}

const foundBy = { name: 'by its name', alias: 'by an alias', remote: 'by its remote' } as const

const notes = {
  negative: (status: number | null) => `the remote answered ${status}`,
  uncacheable: () => 'its answer may not be shared',
  trouble: () => 'the remote was in trouble',
} as const

function routingText({ routing: { routed, rule } }: Explanation): string {
  if (routed) return rule === null ? 'passes' : `passes: allow ${rule}`
  return rule === null ? 'excluded: no allow rule fits' : `excluded: block ${rule}`
}

function freshnessText({ freshness: { by, match, maxAge, force } }: Explanation): string {
  const time = maxAge === null ? 'for ever' : `for ${duration(maxAge)}`
  if (by === 'rule') return `rule ${match}: ${time}${force ? ', stored whatever its remote says' : ''}`
  return by === 'remote' ? 'as the remote says' : `as the remote says, else ${time}`
}

const checksumText = ({ sha256, list, required }: NonNullable<Explanation['checksum']>) =>
  sha256 === null
    ? `as ${printable(list ?? '')} says${required ? ', and refused where it does not' : ''}`
    : `sha256 ${sha256}`

function queryText({ query: { policy, asked, keyed } }: Explanation): string {
  if (asked === null) return `none (${policy})`
  return keyed === null ? `not part of the key (${policy})` : `${printable(keyed)} is part of the key (${policy})`
}

const remoteLines = ({ remotes, remoteUrls, blocked }: Explanation) =>
  remotes.map(({ breaker, retryAt }, i) => {
    const until = retryAt === null ? '' : ` until ${retryAt.slice(11, 19)}`
    const state = blocked ? 'blocked' : `breaker ${breaker}${until}`
    return [`remote ${i + 1}`, `${printable(remoteUrls[i] ?? '')} (${state})`] as const
  })

const variantsText = (count: number) => (count === 1 ? 'yes' : `${count} variants`)

function variantFields(variant: VariantExplanation): string {
  const { freshUntil, why } = variant
  return fields([
    ['sha256', variant.sha256],
    ['size', `${size(variant.size)} (${variant.size} bytes)`],
    ['stored from', variant.storedFrom],
    ['validated', minute(variant.validatedAt)],
    [variant.fresh ? 'fresh until' : 'stale since', `${freshUntil === null ? '-' : minute(freshUntil)} (${why})`],
    ...Object.entries(variant.selecting).map(([name, value]) => [`for ${name}`, printable(value ?? '(none)')] as const),
  ])
}
