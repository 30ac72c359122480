import { setTimeout as sleep } from 'node:timers/promises'
import type { RecentBytes } from './recent-bytes.js'
import type { Waiters } from './waiters.js'

/** How long a body waits for its first follower, who may just have got its head, ms. */
const firstWithin = 1000

/** Who follows a body that comes in, and, once it has no file, who leads: the one at whose pace it comes (K7). */
export class Audience {
  readonly #recent: RecentBytes
  readonly #waiters: Waiters
  #count = 0
  #hadAny = false
  #lead: object | undefined
  #position = 0

  constructor(recent: RecentBytes, waiters: Waiters) {
    this.#recent = recent
    this.#waiters = waiters
  }

  join(): void {
    this.#count += 1
    this.#hadAny = true
    this.#waiters.wake()
  }

  leave(follower: object): void {
    this.#count -= 1
    if (this.#lead === follower) this.#lead = undefined
    this.#waiters.wake()
  }

  isLed(by: object): boolean {
    return this.#lead === by
  }

  /**
   * Whether `follower`, about to read at `position`, leads from there on; the first does that comes by while nobody does.
   * What the lead has passed is let go.
   */
  letLead(follower: object, position: number): boolean {
    if ((this.#lead ?? follower) !== follower) return false
    const isHere = position >= this.#recent.from && position <= this.#recent.to
    this.#lead = isHere ? follower : undefined
    if (isHere) {
      this.#position = position
      this.#recent.dropBefore(position)
    }
    this.#waiters.wake()
    return isHere
  }

  /** Bytes the lead has still to take of those before `end`; `Infinity` where nobody leads. */
  behind(end: number): number {
    return this.#lead ? end - this.#position : Number.POSITIVE_INFINITY
  }

  /** Resolves when nobody follows any more. */
  async gone(): Promise<void> {
    const waited = sleep(this.#hadAny ? 0 : firstWithin, undefined, { ref: false })
    let patient = true
    void waited.then(() => {
      patient = false
    })
    while (this.#count > 0 || patient) await Promise.race([this.#waiters.change(), ...(patient ? [waited] : [])])
  }
}
