import { fieldLines, listMembers, type RawHeaders } from './headers.js'
import { maxVariants, type StoredResponse } from './record.js'

/** The request fields (lower case, sorted) a response was chosen by; `'*'` when by more than they tell (RFC 9110 §12.5.5). */
export function varyNames(headers: RawHeaders): readonly string[] | '*' {
  const names = new Set(listMembers(fieldLines(headers, 'vary')).map((name) => name.toLowerCase()))
  return names.has('*') ? '*' : [...names].sort()
}

/** The request's values of those fields, to be stored beside the response. */
export function selecting(names: readonly string[] | '*', requestHeaders: RawHeaders): Record<string, string | null> {
  // `*` is only ever stored by force, and then answers every request.
  if (names === '*') return {}
  return Object.fromEntries(names.map((name) => [name, normalised(requestHeaders, name)]))
}

/** RFC 9111 §4.1: lines combined and white space that means nothing removed. `name` in lower case. */
function normalised(headers: RawHeaders, name: string): string | null {
  const lines = fieldLines(headers, name)
  if (lines.length === 0) return null
  return lines
    .join(',')
    .trim()
    .replace(/[ \t]*,[ \t]*/g, ',')
}

/** The newest variant that fits a request (RFC 9111 §4.1). */
export function selectVariant(
  variants: readonly StoredResponse[],
  requestHeaders: RawHeaders,
): StoredResponse | undefined {
  return variants.find((variant) => fits(variant.selecting, requestHeaders))
}

function fits(wanted: StoredResponse['selecting'], requestHeaders: RawHeaders): boolean {
  for (const name of Object.keys(wanted)) {
    if (normalised(requestHeaders, name) !== wanted[name]) return false
  }
  return true
}

/** `fresh` first and in place of the one selected by the same values; the oldest beyond `maxVariants` go. */
export function withVariant(variants: readonly StoredResponse[], fresh: StoredResponse): readonly StoredResponse[] {
  const others = variants.filter((variant) => !sameSelecting(variant.selecting, fresh.selecting))
  return [fresh, ...others].slice(0, maxVariants)
}

/** Of one record: the same body, chosen by the same values. */
export const sameVariant = (a: StoredResponse, b: StoredResponse): boolean =>
  a === b || (a.body.digest === b.body.digest && JSON.stringify(a.selecting) === JSON.stringify(b.selecting))

export function sameSelecting(a: StoredResponse['selecting'], b: StoredResponse['selecting']): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
}
