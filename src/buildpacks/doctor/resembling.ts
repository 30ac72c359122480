import { editDistance } from '../../config/wording.js'

/** Shorter names differ by two letters from what is no slip of them. */
const longEnoughForTwo = 16

/** The known name that another is a slip of: a letter or two behind its beginning, or `_URL` too much or too little. */
export function resembling(name: string, known: readonly string[]): string | undefined {
  return known.find((candidate) => {
    if (withoutUrl(candidate) === withoutUrl(name)) return true
    const most = candidate.length < longEnoughForTwo ? 1 : 2
    return beginning(candidate) === beginning(name) && editDistance(name, candidate) <= most
  })
}

const withoutUrl = (name: string) => name.toUpperCase().replace(/_URL$/, '')

const beginning = (name: string) => name.slice(0, 2).toUpperCase()
