import { z } from 'zod'
import { wrong } from './wording.js'

/** A string that `parse` turns into what the core wants; `parse` answers `undefined` for what it doesn't accept. */
export function parsed<T>(wanted: string, parse: (text: string) => T | undefined) {
  const text = z.string({ error: ({ input }) => wrong(input, wanted) })
  return text.transform((value, context) => {
    const result = parse(value)
    if (result !== undefined) return result
    context.addIssue({ code: 'custom', message: wrong(value, wanted) })
    return z.NEVER
  })
}
