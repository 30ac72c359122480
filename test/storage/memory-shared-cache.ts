import type { Digest, StoredRecord } from '../../src/caching/record.js'
import { decodeRecord, encodeRecord } from '../../src/caching/record-encoding.js'
import type { SharedCache } from '../../src/storage/shared-cache.js'

/** What replicas of one test process share; `bodies` and `records` may be tampered with. */
export class SharedMemory {
  readonly records = new Map<string, Uint8Array>()
  readonly bodies = new Map<Digest, Uint8Array>()
  readonly leases = new Map<string, { readonly owner: string; readonly until: number }>()
  /** False: unreachable, so that every call is an absence. */
  reachable = true
  /** Runs before a record is told: what happens while a replica asks. */
  whileAsked: () => Promise<void> = async () => {}

  put(record: StoredRecord, ...bodies: (readonly [Digest, Uint8Array])[]): void {
    this.records.set(record.key, encodeRecord(record))
    for (const [digest, bytes] of bodies) this.bodies.set(digest, bytes)
  }

  record(key: string): StoredRecord | undefined {
    const bytes = this.records.get(key)
    return bytes && decodeRecord(bytes)
  }

  connect(): SharedCache {
    let isOpen = true
    const isHere = () => isOpen && this.reachable
    return {
      record: async (key) => {
        await this.whileAsked()
        return isHere() ? this.record(key) : undefined
      },
      body: async (digest) => (isHere() ? this.bodies.get(digest) : undefined),
      share: async (record, bodies) => {
        if (!isHere()) return
        this.put(record, ...[...bodies].map(([digest, bytes]) => [digest, Uint8Array.from(bytes)] as const))
      },
      forget: (key) => void (isHere() && this.records.delete(key)),
      claim: async (name, owner, milliseconds) => {
        if (!isHere()) return undefined
        const held = this.leases.get(name)
        if (held && held.owner !== owner && held.until > Date.now()) return false
        this.leases.set(name, { owner, until: Date.now() + milliseconds })
        return true
      },
      yield: async (name, owner) => {
        if (isHere() && this.leases.get(name)?.owner === owner) this.leases.delete(name)
      },
      get healthy() {
        return isHere()
      },
      close: async () => {
        isOpen = false
      },
    }
  }
}
