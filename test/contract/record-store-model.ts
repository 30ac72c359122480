import type { Digest, StoredResponse } from '../../src/caching/record.js'
import type { StoreTotals, Use } from '../../src/storage/record-store.js'

/** What a record store accounts for, worked out anew from all records each time. */
export function modelStore() {
  const records = new Map<string, readonly StoredResponse[]>()
  const uses = new Map<string, number>()
  const of = (repository: string | undefined) => (key: string) =>
    repository === undefined || key.startsWith(`${repository}/`)
  const bodies = (repository?: string) =>
    [...records].flatMap(([key, variants]) => (of(repository)(key) ? variants.map(({ body }) => body) : []))
  const blobs = (repository?: string) =>
    new Map(bodies(repository).flatMap(({ digest, size, inline }) => (inline ? [] : [[digest, size] as const])))
  return {
    /** Returns the blobs that are referred to no more. */
    put(key: string, variants: readonly StoredResponse[]): Digest[] {
      const before = blobs()
      if (variants.length === 0) uses.delete(key)
      else if (!uses.has(key)) uses.set(key, Math.max(...variants.map(({ responseTime }) => responseTime)))
      if (variants.length === 0) records.delete(key)
      else records.set(key, variants)
      const after = blobs()
      return [...before.keys()].filter((digest) => !after.has(digest))
    },
    use(key: string, time: number): void {
      const last = uses.get(key)
      if (last !== undefined) uses.set(key, Math.max(last, time))
    },
    references: (digest: Digest): boolean => blobs().has(digest),
    totals(repository?: string): StoreTotals {
      const inline = bodies(repository).flatMap((body) => (body.inline ? [body.size] : []))
      const bytes = [...blobs(repository).values(), ...inline].reduce((sum, size) => sum + size, 0)
      return { records: [...records.keys()].filter(of(repository)).length, bytes }
    },
    repositories: (): string[] => [...new Set([...records.keys()].map((key) => key.slice(0, key.indexOf('/'))))].sort(),
    leastUsed: (repository: string): Use[] =>
      [...uses]
        .filter(([key]) => of(repository)(key))
        .map(([key, lastUse]) => ({ key, lastUse }))
        .sort((a, b) => a.lastUse - b.lastUse),
  }
}
