import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Digest } from '../../src/caching/record.js'
import { get } from '../support/http.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import { type Origin, startOrigin } from '../support/origin.js'
import { type Choices, choices } from '../support/seeded.js'
import { filesUnder, settled, until } from '../support/stage.js'
import { type Audit, audit, blobFile } from '../support/store-audit.js'

export interface Artifact {
  readonly path: string
  /** What the remote has. */
  body: Buffer
  digest: Digest
  /** Digests of which one must be stored; empty where nothing need be. */
  kept: readonly Digest[]
  /** It was purged, and that was said: nothing of it may be stored but what came later. */
  isPurged: boolean
}

const sizes = [0, 10, 16 * 1024, 16 * 1024 + 1, 100_000, 700_000]
/** Of so many kept ones each restart asks for, with the remote dead. */
const sample = 8

const digestOf = (bytes: Buffer): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

const configuration = (origin: Origin) => ({
  repositories: {
    raw: {
      remote: origin.url,
      retry: { attempts: 2, budget: '2s', resumes: 2 },
      freshness: [
        { match: 'mutable/**', maxAge: '0s' },
        { match: '**', maxAge: 'forever' },
      ],
    },
  },
})

/** One server, killed again and again on the same directory, and all that is known of what it must have. */
export class Lane {
  readonly choices: Choices
  readonly artifacts: Artifact[] = []
  #touched = new Set<Artifact>()
  #under: Promise<unknown>[] = []
  #gone = new Set<Digest>()

  private constructor(
    readonly origin: Origin,
    readonly larder: LarderProcess,
    seed: number,
    private readonly keeps: boolean,
  ) {
    this.choices = choices(seed)
  }

  /** `maxSize`: of the store; where it evicts, nothing need be kept. */
  static async start(seed: number, maxSize?: string): Promise<Lane> {
    const origin = await startOrigin()
    const env = maxSize === undefined ? {} : { LARDER_MAX_SIZE: maxSize }
    const larder = await startLarder({ config: JSON.stringify(configuration(origin)), env })
    return new Lane(origin, larder, seed, maxSize === undefined)
  }

  async dispose(): Promise<void> {
    await this.larder.dispose()
    await this.origin.stop()
  }

  url({ path }: Artifact): string {
    return `${this.larder.url}/repository/raw${path}`
  }

  /** A new artifact at the remote. */
  release(kind: 'fixed' | 'mutable'): Artifact {
    const path = `/${kind}/${this.artifacts.length}.bin`
    const body = this.origin.put(path, this.choices.bytes(this.choices.of(sizes)))
    const artifact: Artifact = { path, body, digest: digestOf(body), kept: [], isPurged: false }
    this.artifacts.push(artifact)
    return artifact
  }

  /** A new version of it; what is stored may be either for now. */
  change(artifact: Artifact): void {
    artifact.body = this.origin.put(artifact.path, this.choices.bytes(this.choices.of(sizes)), { lastModified: false })
    artifact.digest = digestOf(artifact.body)
    if (artifact.kept.length > 0) artifact.kept = [...artifact.kept, artifact.digest]
    this.#touched.add(artifact)
  }

  /** Asks and goes on; resolves when that is over, however. */
  ask(artifact: Artifact): Promise<unknown> {
    this.#touched.add(artifact)
    const asked = get(this.url(artifact)).catch(() => undefined)
    this.#under.push(asked)
    return asked
  }

  /** One that a client has whole and that the server says is stored. */
  async published(kind: 'fixed' | 'mutable'): Promise<Artifact> {
    const artifact = this.release(kind)
    await get(this.url(artifact))
    const isStored = async () => {
      const { header } = await get(this.url(artifact), { method: 'HEAD' })
      return header('x-checksum-sha256') !== undefined
    }
    // Where room is made by evicting, it may be gone already.
    if (this.keeps) await until(isStored, `${artifact.path} is stored`)
    // Until it is over, who asks gets what it brought.
    await settled(this)
    this.#touched.add(artifact)
    if (this.keeps) artifact.kept = [artifact.digest]
    return artifact
  }

  purged(artifact: Artifact, isSaid: boolean): void {
    artifact.kept = []
    artifact.isPurged = isSaid
  }

  /** Its body goes from the disk. */
  async lose(artifact: Artifact): Promise<void> {
    await rm(blobFile(this.larder.data, artifact.digest), { force: true })
    artifact.kept = []
    this.#gone.add(artifact.digest)
  }

  /** A few milliseconds, or none. */
  async blink(): Promise<void> {
    const ms = this.choices.below(12)
    if (ms > 0) await sleep(ms)
  }

  /** After a kill: what is on the disk is right, a start cleans it, and all of it is served. What is wrong. */
  async recover(): Promise<string[]> {
    await this.larder.exited()
    await Promise.all(this.#under)
    this.#under = []
    this.origin.heal()
    const found = await audit(this.larder.data, this.#gone)
    this.#gone.clear()
    await this.larder.start()
    const faults = [...found.faults, ...this.#lost(found), ...(await this.#uncleaned(found))]
    const touched = [...this.#touched]
    this.#touched = new Set()
    faults.push(...(await this.#wrong(touched, true)))
    await this.origin.stop()
    const kept = this.artifacts.filter((artifact) => artifact.kept.length > 0)
    const some = Array.from({ length: Math.min(sample, kept.length) }, () => this.choices.of(kept))
    // More of the stale ones would have the breaker open for the next round.
    const stale = some.filter(({ path }) => path.startsWith('/mutable/'))
    const asked = [...some.filter((artifact) => !stale.includes(artifact)), ...stale.slice(0, 2)]
    faults.push(...(await this.#wrong(asked, false)))
    await this.origin.start()
    if (this.larder.errors !== '') faults.push(`on stderr: ${this.larder.errors}`)
    return faults
  }

  #lost({ records, faults }: Audit): string[] {
    const of = ({ path }: Artifact) => records.get(`raw${path}`)?.variants.map(({ body }) => body.digest) ?? []
    const isDamaged = faults.length > 0
    const lost = this.artifacts.filter(
      (artifact) => artifact.kept.length > 0 && !of(artifact).some((digest) => artifact.kept.includes(digest)),
    )
    const back = this.artifacts.filter((artifact) => artifact.isPurged && of(artifact).length > 0)
    for (const artifact of this.artifacts) artifact.isPurged = false
    if (isDamaged) return []
    return [...lost.map(({ path }) => `lost: ${path}`), ...back.map(({ path }) => `back after its purge: ${path}`)]
  }

  async #uncleaned({ orphans }: Audit): Promise<string[]> {
    const left = async () => [
      ...(await filesUnder(join(this.larder.data, 'staging'))),
      ...(await filesUnder(join(this.larder.data, 'blobs'))).filter((file) =>
        orphans.some((digest) => file === blobFile(this.larder.data, digest)),
      ),
    ]
    return until(async () => (await left()).length === 0, 'what was partial is gone').then(
      () => [],
      async () => (await left()).map((file) => `not cleaned: ${file}`),
    )
  }

  /** Of those asked for, what isn't right: the newest with the remote at hand, what is kept without. */
  async #wrong(asked: readonly Artifact[], isRemoteThere: boolean): Promise<string[]> {
    const answers = await Promise.all(
      asked.map(async (artifact) => {
        const { status, body, ended } = await get(this.url(artifact))
        const right = isRemoteThere ? [artifact.digest] : artifact.kept
        const isRight = status === 200 && ended === 'end' && right.includes(digestOf(body))
        if (isRight && artifact.kept.length > 0) artifact.kept = [...new Set([...artifact.kept, artifact.digest])]
        return isRight
          ? undefined
          : `${artifact.path}: ${status}, ${body.length} bytes, remote ${isRemoteThere ? '' : 'not '}there`
      }),
    )
    return answers.filter((answer) => answer !== undefined)
  }
}
