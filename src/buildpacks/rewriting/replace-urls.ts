import { setImmediate as turn } from 'node:timers/promises'
import { isRouted } from '../../caching/routing.js'
import type { Places } from './places.js'
import { schemes, urlAt, type WrittenUrl } from './url-text.js'

/** URLs after which others get a turn: a few milliseconds. */
const urlsAtATime = 256

export interface Replaced {
  readonly text: string
  /** URLs that were replaced. */
  readonly urls: number
}

/**
 * The text (bytes as characters) with every URL that lies in one of the places, and that its repository would serve, under
 * `<base>/repository/<name>`. Replacing again changes nothing. Takes time in proportion to the text, whatever that says.
 */
export async function replaceUrls(text: string, places: Places, base: string): Promise<Replaced> {
  const own = `${base}/repository/`
  const owns = [own, escaped(own)]
  const scheme = schemes()
  const pieces: string[] = []
  let done = 0
  let seen = 0
  for (let match = scheme.exec(text); match; match = scheme.exec(text)) {
    seen += 1
    if (seen % urlsAtATime === 0) await turn()
    const start = match.index
    if (owns.some((prefix) => text.startsWith(prefix, start))) continue
    const url = urlAt(text, scheme.lastIndex, match[0])
    const found = url && homeOf(url, places)
    if (!found) continue
    const ours = own + found.repository
    pieces.push(text.slice(done, start), match[1] === '//' ? ours : escaped(ours))
    done = url.endOf(found.length)
    scheme.lastIndex = done
  }
  return { text: pieces.join('') + text.slice(done), urls: pieces.length / 2 }
}

const escaped = (url: string) => url.replaceAll('/', '\\/')

interface Home {
  readonly repository: string
  /** Characters of the rest that the place takes. */
  readonly length: number
}

/** The nearest place that has it and serves it. */
function homeOf({ host, rest, hostEnds }: WrittenUrl, places: Places): Home | undefined {
  if (!hostEnds) return undefined
  for (const { repository, path, before } of places.near(host, rest)) {
    const text = rest()
    const length = before + path.length
    if (!text.startsWith(path, before) || (length > 0 && continuesSegment.test(text.charAt(length)))) continue
    if (isRouted(repository.routing, targetOf(text.slice(length)))) return { repository: repository.name, length }
  }
  return undefined
}

/** Variables of scripts and templates among them: their text may be more of the name. */
const continuesSegment = /[^/?)\]},;\\]/

/** What a script has yet to fill in (`${version}`) stands for itself: globs fit what is around it. */
const targetOf = (rest: string) => (rest.startsWith('/') ? rest : `/${rest}`)
