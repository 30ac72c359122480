import type { Digest, StoredRecord } from '../../src/caching/record.js'
import { decodeRecord, encodeRecord } from '../../src/caching/record-encoding.js'
import { messageLimit, type SharedCache } from '../../src/storage/shared-cache.js'

type Listener = Parameters<SharedCache['onTold']>[0]

/** What replicas of one test process share; `bodies` and `records` may be tampered with. */
export class SharedMemory {
  readonly records = new Map<string, Uint8Array>()
  readonly bodies = new Map<Digest, Uint8Array>()
  readonly leases = new Map<string, { readonly holder: string; readonly until: number }>()
  readonly notes = new Map<string, { readonly text: string; readonly until: number }>()
  readonly #replicas = new Set<Listener[]>()
  #reachable = true
  /** Runs before a record is told: what happens while a replica asks. */
  whileAsked: () => Promise<void> = async () => {}

  get reachable(): boolean {
    return this.#reachable
  }

  /** False: unreachable, so that every call is an absence; true again, listeners hear of a gap. */
  set reachable(now: boolean) {
    const isBack = now && !this.#reachable
    this.#reachable = now
    if (isBack) for (const listeners of this.#replicas) hand(listeners, { kind: 'gap' })
  }

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
    const ours: Listener[] = []
    this.#replicas.add(ours)
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
      lease: async (name, holder, milliseconds) => {
        if (!isHere()) return undefined
        const held = this.leases.get(name)
        if (held && held.holder !== holder && held.until > Date.now()) return { mine: false, holder: held.holder }
        this.leases.set(name, { holder, until: Date.now() + milliseconds })
        return { mine: true }
      },
      yield: async (name, holder) => {
        if (isHere() && this.leases.get(name)?.holder === holder) this.leases.delete(name)
      },
      note: async (key, text, milliseconds) => {
        if (isHere()) this.notes.set(key, { text, until: Date.now() + milliseconds })
      },
      noted: async (key) => {
        const note = isHere() ? this.notes.get(key) : undefined
        return note && note.until > Date.now() ? note.text : undefined
      },
      tell: async (text) => {
        if (!isHere() || Buffer.byteLength(text) > messageLimit) return
        for (const others of this.#replicas) if (others !== ours) hand(others, { kind: 'message', text })
      },
      onTold: (listener) => {
        if (!isOpen) return
        ours.push(listener)
        if (isHere()) queueMicrotask(() => hand([listener], { kind: 'gap' }))
      },
      get healthy() {
        return isHere()
      },
      close: async () => {
        isOpen = false
        this.#replicas.delete(ours)
      },
    }
  }
}

function hand(listeners: readonly Listener[], event: Parameters<Listener>[0]): void {
  for (const listener of listeners) {
    try {
      listener(event)
    } catch {
      // The driver logs it.
    }
  }
}
