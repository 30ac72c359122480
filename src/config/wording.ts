import type { z } from 'zod'

/** What was wrong with `input` and what was expected, without repeating the input: it may be a secret. */
export function wrong(input: unknown, expectation: string): string {
  if (input === undefined) return `is missing, expected ${expectation}`
  if (typeof input === 'string') return `is not accepted, expected ${expectation}`
  return `is ${kindOf(input)}, expected ${expectation}`
}

/** The wording of whatever a schema has no words of its own for. */
export function issueMessage(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return wrong(issue.input, kinds[issue.expected] ?? issue.expected)
    case 'invalid_value':
      return wrong(issue.input, issue.values.map(String).join(' or '))
    case 'too_small':
    case 'too_big':
      return `is out of bounds, expected ${issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`}`
    default:
      return undefined
  }
}

const kinds: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}

function kindOf(input: unknown): string {
  if (input === null) return 'empty'
  if (Array.isArray(input)) return 'a list'
  return kinds[typeof input] ?? typeof input
}

/** ` (did you mean x?)` for the known name a typo is closest to, else nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
  const best = ranked.sort((a, b) => a.distance - b.distance)[0]
  // Further away than a third of the word it is another word, not a typo.
  return best && best.distance <= Math.max(2, name.length / 3) ? ` (did you mean ${best.candidate}?)` : ''
}

/** Levenshtein's distance, case ignored: a wrong case is the nearest of all typos. */
export function editDistance(left: string, right: string): number {
  const [a, b] = [left.toLowerCase(), right.toLowerCase()]
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
