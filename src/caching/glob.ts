import picomatch from 'picomatch'
import type { Glob } from './repository.js'

/** What no path begins with: it would never fit. */
const unfit = /^\.?\//

/** A glob over paths without their leading slash and query, compiled once; `undefined` for what isn't one. */
export function compileGlob(match: string): Glob | undefined {
  if (match === '' || unfit.test(match)) return undefined
  try {
    const regex = committed(picomatch.makeRe(match, { dot: true, strictBrackets: true }))
    return { match, matches: (path) => path !== '' && (path === match || regex.test(path)) }
  } catch {
    return undefined
  }
}

/** A star, and the characters between it and the next star of its segment. */
const starBeforeStar = /\[\^\/\]\*\?((?:\\\W|[^\\()[\]{}*+?|^$.]|\[\^\/\])+)(?=\[\^\/\]\*\?)/g

/**
 * The same, but a star that another follows keeps to the first place it finds: what it could win by a later one, the next
 * star wins too. Else a path that nearly fits would take time by the power of the number of stars, and anyone may ask for it.
 */
function committed(regex: RegExp): RegExp {
  let stars = 0
  const source = regex.source.replace(starBeforeStar, (_, between: string) => {
    stars += 1
    return `(?=(?<star${stars}>[^/]*?${between}))\\k<star${stars}>`
  })
  return new RegExp(source, regex.flags)
}
