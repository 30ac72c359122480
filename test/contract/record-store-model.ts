import type { Digest, StoredBody, StoredResponse } from '../../src/caching/record.js'
import type { StoreTotals, Use } from '../../src/storage/record-store.js'

/** What a record store accounts for, worked out anew from all records each time. */
export function modelStore() {
  const uploads = new Set<string>()
  const records = new Map<string, readonly StoredResponse[]>()
  const uses = new Map<string, number>()
  const of = (repository: string | undefined) => (key: string) =>
    repository === undefined || key.startsWith(`${repository}/`)
  const bodies = (repository?: string, isMeant = (_: string) => true) =>
    [...records].flatMap(([key, variants]) =>
      of(repository)(key) && isMeant(key) ? variants.map(({ body }) => body) : [],
    )
  const blobsOf = (all: readonly StoredBody[]) =>
    new Map(all.flatMap(({ digest, size, inline }) => (inline ? [] : [[digest, size] as const])))
  const blobs = (repository?: string) => blobsOf(bodies(repository))
  const bytesOf = (all: readonly StoredBody[]) => {
    const inline = all.flatMap((body) => (body.inline ? [body.size] : []))
    return [...blobsOf(all).values(), ...inline].reduce((sum, size) => sum + size, 0)
  }
  return {
    /** Returns the blobs that are referred to no more. */
    put(key: string, variants: readonly StoredResponse[], isUpload: boolean): Digest[] {
      const before = blobs()
      if (isUpload && variants.length > 0) uploads.add(key)
      else uploads.delete(key)
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
      return { records: [...records.keys()].filter(of(repository)).length, bytes: bytesOf(bodies(repository)) }
    },
    uploadedBytes: (repository?: string): number => bytesOf(bodies(repository, (key) => uploads.has(key))),
    repositories: (): string[] => [...new Set([...records.keys()].map((key) => key.slice(0, key.indexOf('/'))))].sort(),
    leastUsed: (repository: string): Use[] =>
      [...uses]
        .filter(([key]) => of(repository)(key) && !uploads.has(key))
        .map(([key, lastUse]) => ({ key, lastUse }))
        .sort((a, b) => a.lastUse - b.lastUse),
  }
}
