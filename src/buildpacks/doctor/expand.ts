import type { ProjectVariable } from './finding.js'

const reference = /\$(?:\{(\w+)\}|(\w+))/g

/** So many references inside one another at most: variables can name each other in a circle. */
const mostRounds = 5

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
  for (let round = 0; round < mostRounds; round++) {
    text = text.replace(reference, (whole, braced, bare) => setTo(braced ?? bare, set) ?? whole)
  }
  text = text.replace(/^\$(?:\{\w+\}|\w+)(?=\/repository\/)/, url)
  return text.includes('$') ? undefined : text
}

const setTo = (name: string, set: readonly ProjectVariable[]) => set.find((variable) => variable.name === name)?.value
