import { LRUCache } from 'lru-cache'
import { LarderError } from '../errors.js'
import type { TokenSet } from './auth.js'

/** Tokens that give a right to change something, and the wrong ones that are tried. */
export interface Attempts {
  /**
   * The name of the token in one of `sets`; `undefined` for a wrong one, which is counted. Throws `TOO_MANY_ATTEMPTS`, whatever
   * the token, where too many wrong ones came from that address.
   */
  nameOf(client: string, token: string, sets: readonly TokenSet[]): string | undefined
}

/** Wrong tokens an address may try in a row, and the milliseconds until it may try one more. */
const burst = 10
const regain = 3000

/** Addresses that are remembered: whoever has more of them than that guesses no faster than 256 bits allow. */
const remembered = 1000

export function createAttempts(): Attempts {
  const failures = new LRUCache<string, { readonly count: number; readonly at: number }>({ max: remembered })

  const failuresOf = (client: string): number => {
    const past = failures.get(client)
    return past ? Math.max(0, past.count - (performance.now() - past.at) / regain) : 0
  }

  return {
    nameOf(client, token, sets) {
      const failed = failuresOf(client)
      if (failed > burst - 1) {
        const retryAfter = ((failed - burst + 1) * regain) / 1000
        throw new LarderError('TOO_MANY_ATTEMPTS', 'too many wrong tokens came from this address', { retryAfter })
      }
      // All of them are looked into: how long it takes tells nothing.
      const [name] = sets.map((set) => set.nameOf(token)).filter((known) => known !== undefined)
      if (name === undefined) failures.set(client, { count: failed + 1, at: performance.now() })
      return name
    },
  }
}
