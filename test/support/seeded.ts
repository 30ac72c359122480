import { createHash } from 'node:crypto'

/** Choices that come again with the seed. */
export interface Choices {
  /** A whole number from 0 up to and without `limit`. */
  below(limit: number): number
  of<T>(items: readonly T[]): T
  bytes(size: number): Buffer
}

/** Mulberry32: small, and even enough to choose by. */
export function choices(seed: number): Choices {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    of: (items) => {
      if (items.length === 0) throw new Error('nothing to choose from')
      return items[below(items.length)] as (typeof items)[number]
    },
    bytes: (size) => expand(`${seed} ${below(2 ** 32)}`, size),
  }
}

/** Bytes no two runs of which are alike. */
function expand(text: string, size: number): Buffer {
  return createHash('shake256', { outputLength: Math.max(1, size) })
    .update(text)
    .digest()
    .subarray(0, size)
}

/** The seed a variable names, else a new one. */
export function seedFrom(variable: string): number {
  const given = process.env[variable]
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}
