import type { StoredRecord, StoredResponse } from '../caching/record.js'
import { uploaded } from '../caching/repository.js'
import { sameVariant } from '../caching/vary.js'
import type { Update } from './changes.js'
import type { Damaged, Drop } from './damage.js'

/** Takes back that a body is marked as damaged: it is sound. */
export type Mend = (key: string, stored: StoredResponse) => Promise<void>

export interface DropsOptions {
  readonly update: Update
  /** Takes back what replicas were shown of it, where it could come back from there. */
  readonly forget: (key: string) => void
  /** Hears of every damaged body, once. */
  readonly onDamaged: (damaged: Damaged) => void
}

/** What becomes of damaged bodies: one that a remote can send again is forgotten, one that was uploaded is marked (H3). */
export function createDrops({ update, forget, onDamaged }: DropsOptions): { readonly drop: Drop; readonly mend: Mend } {
  return {
    async drop(key, damaged, reason) {
      const { digest } = damaged.body
      // One that was fetched anew meanwhile has other bytes behind it.
      const isIt = (variant: StoredResponse) =>
        sameVariant(variant, damaged) && variant.responseTime === damaged.responseTime
      try {
        const record = await update(key, (current) => {
          if (!current?.variants.some(isIt)) return undefined
          const variants =
            current.remote === uploaded ? marked(current, isIt) : current.variants.filter((variant) => !isIt(variant))
          return variants && { ...current, version: Date.now(), variants }
        })
        if (!record) return
        forget(key)
        onDamaged({ key, digest, reason, ...(record.remote === uploaded && { kept: true }) })
      } catch (fault) {
        onDamaged({ key, digest, reason, fault })
      }
    },

    async mend(key, { body: { digest } }) {
      const isIt = ({ body, damaged }: StoredResponse) => damaged && body.digest === digest
      await update(key, (current) => {
        if (!current?.variants.some(isIt)) return undefined
        const variants = current.variants.map((variant) => (isIt(variant) ? sound(variant) : variant))
        return { ...current, version: Date.now(), variants }
      })
    },
  }
}

/** `undefined` where there is nothing left to mark. */
function marked({ variants }: StoredRecord, isIt: (variant: StoredResponse) => boolean) {
  if (variants.every((variant) => !isIt(variant) || variant.damaged)) return undefined
  return variants.map((variant) => (isIt(variant) ? { ...variant, damaged: true as const } : variant))
}

const sound = ({ damaged: _, ...variant }: StoredResponse): StoredResponse => variant
