import type { ProjectVariable } from './finding.js'

const reference = /\$(?:\{(\w+)\}|(\w+))/g

/** So many references inside one another at most: variables can name each other in a circle. */
const mostRounds = 5

/** Characters that are put in at most: no URL is longer, and each round may multiply what the one before made. */
const mostPutIn = 64 * 1024

/**
 * The value with other variables of the same file put in. One of elsewhere that stands where a URL begins, before
 * `/repository/`, is taken for Larder's own URL; any other leaves it `undefined`, for nothing can be said of it.
 */
export function expanded(
  { value, literal }: ProjectVariable,
  set: readonly ProjectVariable[],
  url: string,
): string | undefined {
  if (literal) return value
  let text = value
  let putIn = 0
  const put = (whole: string, braced?: string, bare = '') => {
    const other = setTo(braced ?? bare, set) ?? whole
    putIn += other.length
    return putIn > mostPutIn ? whole : other
  }
  for (let round = 0; round < mostRounds; round++) text = text.replace(reference, put)
  text = text.replace(/^\$(?:\{\w+\}|\w+)(?=\/repository\/)/, url)
  return text.includes('$') ? undefined : text
}

const setTo = (name: string, set: readonly ProjectVariable[]) => set.find((variable) => variable.name === name)?.value
