import type { Digest, StoredResponse } from '../../src/caching/record.js'
import type { StoreTotals } from '../../src/storage/record-store.js'

/** What a record store accounts for, worked out anew from all records each time. */
export function modelStore() {
  const records = new Map<string, readonly StoredResponse[]>()
  const blobs = () => {
    const bodies = [...records.values()].flat().map(({ body }) => body)
    return new Map(bodies.filter(({ inline }) => !inline).map(({ digest, size }) => [digest, size]))
  }
  return {
    /** Returns the blobs that are referred to no more. */
    put(key: string, variants: readonly StoredResponse[]): Digest[] {
      const before = blobs()
      records.set(key, variants)
      const after = blobs()
      return [...before.keys()].filter((digest) => !after.has(digest))
    },
    references: (digest: Digest): boolean => blobs().has(digest),
    totals(): StoreTotals {
      const inline = [...records.values()].flat().flatMap(({ body }) => (body.inline ? [body.size] : []))
      const bytes = [...blobs().values(), ...inline].reduce((sum, size) => sum + size, 0)
      return { records: [...records.values()].filter(({ length }) => length > 0).length, bytes }
    },
  }
}
