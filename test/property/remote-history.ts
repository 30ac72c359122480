import { createHash } from 'node:crypto'
import type { Fault, Origin, OriginRequest, Watch } from '../support/origin.js'
import type { OriginFile } from '../support/origin-answer.js'
import { noise } from '../support/stage.js'

/** One state a path of the remote has been in. */
export interface Version {
  readonly number: number
  readonly body: Buffer
  readonly sha256: string
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

export interface Draft {
  readonly size: number
  readonly tag: 'md5' | 'own' | 'weak' | 'none'
  readonly isDated: boolean
  readonly knowsRanges: boolean
}

/** The remote said that a version is what there is. `at`: ms of the clock that stands still between actions. */
interface Telling {
  readonly version: Version
  /** Its place among all tellings of the run. */
  readonly order: number
  at: number
}

/** What the remote of a run really had, what it said of it, and when it failed. */
export class RemoteHistory {
  /** Keys that were fetched twice at a time (C6). */
  readonly overlaps: string[] = []
  readonly #versions = new Map<string, Version[]>()
  readonly #tellings = new Map<string, Telling[]>()
  readonly #troubles: { readonly path: string; at: number; readonly isOfBody: boolean }[] = []
  #told = 0
  #fetches = new Map<string, Set<OriginRequest>>()

  constructor(private readonly origin: Origin) {
    origin.watch = (request, fault) => this.#watch(request, fault)
  }

  versions(path: string): readonly Version[] {
    return this.#versions.get(path) ?? []
  }

  newest(path: string): Version | undefined {
    return this.versions(path).at(-1)
  }

  release(path: string, { size, tag, isDated, knowsRanges }: Draft): void {
    const number = this.versions(path).length
    const modified = isDated ? new Date(Date.UTC(2024, 0, 1, 0, 0, number)) : false
    const body = noise(size)
    const etags = { md5: undefined, own: `"v${number}-${size}"`, weak: `W/"v${number}"`, none: false } as const
    const file: OriginFile = { body, lastModified: modified, ranges: knowsRanges, headers: dated }
    const etag = etags[tag]
    this.origin.put(path, body, { ...file, ...(etag !== undefined && { etag }) })
    const version: Version = {
      number,
      body,
      sha256: createHash('sha256').update(body).digest('hex'),
      etag: this.origin.files.get(path)?.etag || undefined,
      lastModified: modified ? modified.toUTCString() : undefined,
    }
    this.#versions.set(path, [...this.versions(path), version])
  }

  /** The last time the remote said that this is what there is; `undefined` if it never did. */
  lastTold(path: string, version: Version): Telling | undefined {
    return this.#tellings.get(path)?.findLast((telling) => telling.version === version)
  }

  /** What it will tell next comes behind this place. */
  get told(): number {
    return this.#told
  }

  /** What was told, and what failed, since `at` (ms) may have its effect only now: it counts from when it has. */
  arrivedOnly(at: number): void {
    const all = [...this.#tellings.values(), this.#troubles].flat()
    for (const one of all) if (one.at >= at) one.at = Date.now()
  }

  /** What is fetched now may be fetched again beside it: it was purged. */
  purged(): void {
    this.#fetches = new Map()
  }

  /** It was down. */
  noteTrouble(path = '*', isOfBody = false): void {
    this.#troubles.push({ path, at: Date.now(), isOfBody })
  }

  /** Whether it failed at this path since `at` (ms); `ofBody`: after it had begun to answer well. */
  failedSince(path: string, at: number, ofBody = false): boolean {
    return this.#troubles.some(
      (trouble) => (trouble.path === path || trouble.path === '*') && trouble.at >= at && (!ofBody || trouble.isOfBody),
    )
  }

  #watch(request: OriginRequest, fault: Fault): ReturnType<Watch> {
    const { method, url, headers } = request
    // The one byte that is asked for where HEAD is refused (C4) is no fetch.
    const isFetch = method === 'GET' && headers.range !== 'bytes=0-0'
    const underWay = this.#fetches.get(url) ?? new Set()
    if (isFetch) {
      if (underWay.size > 0) this.overlaps.push(url)
      this.#fetches.set(url, underWay.add(request))
    }
    const breaksBody = fault.cut !== undefined || fault.reset !== undefined || fault.wrongLength !== undefined
    let fails = breaksBody
    return {
      answered: ({ status }) => {
        this.#answered(url, status, fault)
        fails ||= status >= 400
        if (fails) this.noteTrouble(url, breaksBody)
      },
      over: () => {
        underWay.delete(request)
        // Those who follow hear of it only now.
        if (fails) this.noteTrouble(url, breaksBody)
      },
    }
  }

  #answered(url: string, status: number, fault: Fault): void {
    const version = this.newest(url)
    const isTelling = status === 200 || status === 206 || status === 304 || status === 416
    if (!isTelling || fault.status !== undefined || !version) return
    this.#told += 1
    const telling = { version, order: this.#told, at: Date.now() }
    this.#tellings.set(url, [...(this.#tellings.get(url) ?? []), telling])
  }
}

/** By the clock of the test, read as each answer is made. */
const dated = {
  get Date() {
    return new Date().toUTCString()
  },
}
