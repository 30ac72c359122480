/** Bytes `start` to `end`, inclusive. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export type RangeOutcome =
  | { readonly kind: 'whole' }
  | { readonly kind: 'partial'; readonly ranges: readonly [ByteRange, ...ByteRange[]] }
  | { readonly kind: 'unsatisfiable' }

/** A request for more is answered whole (RFC 9110 §17.15): many small parts cost us more than the client gains. */
export const maxRanges = 16

const bytesUnit = /^bytes=/i
const rangeSpec = /^(?:(\d+)-(\d*)|-(\d+))$/

/** Whether a `Range` value is of a kind that is answered in parts. */
export const isByteRanges = (value: string): boolean => bytesUnit.test(value)

/** RFC 9110 §14.2 for a representation of `size` bytes: what can't be read, or isn't worth it, is ignored. */
export function evaluateRanges(value: string, size: number): RangeOutcome {
  if (!isByteRanges(value)) return { kind: 'whole' }
  const specs = value
    .slice('bytes='.length)
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '')
  if (specs.length === 0 || specs.length > maxRanges) return { kind: 'whole' }
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const range = parseSpec(spec, size)
    if (range === 'invalid') return { kind: 'whole' }
    if (range) ranges.push(range)
  }
  const asked = ranges.reduce((sum, { start, end }) => sum + end - start + 1, 0)
  if (asked > 2 * size) return { kind: 'whole' }
  const [first, ...others] = coalesce(ranges)
  return first ? { kind: 'partial', ranges: [first, ...others] } : { kind: 'unsatisfiable' }
}

/** `undefined` when nothing of the representation is in it. */
function parseSpec(spec: string, size: number): ByteRange | 'invalid' | undefined {
  const [, first, last, suffix] = rangeSpec.exec(spec) ?? []
  if (suffix !== undefined) {
    const length = Math.min(bounded(suffix), size)
    if (length > 0) return { start: size - length, end: size - 1 }
    // The suffix of an empty representation is satisfiable, but no Content-Range can say so: answered whole.
    return bounded(suffix) > 0 ? 'invalid' : undefined
  }
  if (first === undefined || (last && isLess(last, first))) return 'invalid'
  const start = bounded(first)
  if (start >= size) return undefined
  return { start, end: last ? Math.min(bounded(last), size - 1) : size - 1 }
}

/** No representation is that large, so what is larger still needs no exact value. */
const bounded = (digits: string) => Math.min(Number(digits), Number.MAX_SAFE_INTEGER)

/** Exact however many digits there are. */
function isLess(a: string, b: string): boolean {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return x.length === y.length ? x < y : x.length < y.length
}

/** Overlapping and adjacent ranges become one, at the place of the first of them (RFC 9110 §15.3.7.2). */
function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  let merged: ByteRange[] = []
  for (const range of ranges) {
    const touching = merged.filter((other) => range.start <= other.end + 1 && other.start <= range.end + 1)
    const [place] = touching
    if (!place) {
      merged.push(range)
      continue
    }
    const union = {
      start: Math.min(range.start, ...touching.map(({ start }) => start)),
      end: Math.max(range.end, ...touching.map(({ end }) => end)),
    }
    merged = merged.map((other) => (other === place ? union : other)).filter((other) => !touching.includes(other))
  }
  return merged
}
