import type { ArchiveEntry } from '../archive/layout.js'
import { readArchive } from '../archive/read.js'
import { cacheKey, repositoryOf } from '../caching/cache-key.js'
import type { StoredBody, StoredRecord } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Intake, Offer } from '../storage/intake.js'
import type { AdministeredStore } from './catalogue.js'
import { offerOf } from './offers.js'
import type { ImportReport } from './views.js'

export interface ImportDeps {
  readonly find: (nameOrAlias: string) => Repository | undefined
  readonly store: Pick<AdministeredStore, 'takeIn' | 'pin'>
}

/** Artifacts left out that are named. */
const mostNamed = 1000

/** An artifact whose bodies are being read. */
interface Pending {
  /** `undefined`: it is left out. */
  readonly offer: Offer | undefined
  /** For which room is made. */
  readonly key: string
  readonly bodies: readonly StoredBody[]
  isDamaged: boolean
}

/**
 * Stores what an archive has and is not stored newer. Throws `ARCHIVE_INVALID`, `NO_ROOM`, `STORE_FAULT`; what was whole before
 * that stays.
 */
export async function imported(
  { find, store }: ImportDeps,
  bytes: AsyncIterable<Uint8Array>,
  force: boolean,
): Promise<ImportReport> {
  const intake = store.takeIn()
  const run = new Run(find, intake, force)
  try {
    for await (const entry of readArchive(bytes)) {
      if (entry.kind !== 'blob') await run.finish()
      if (entry.kind === 'artifact') await run.begin(entry.record)
      else if (entry.kind === 'blob') await run.take(entry)
      else for (const pin of entry.pins) await pinned(pin)
    }
    await run.finish()
  } catch (error) {
    if (!isLarderError(error)) throw error
    // The last artifact may be whole.
    if (error.code === 'ARCHIVE_INVALID') await run.finish()
    // Whoever is told of it must know what he has.
    const { code, message } = error
    throw new LarderError(code, `${message}; ${run.report.imported} artifacts were imported before`, { cause: error })
  } finally {
    await intake.release()
  }
  return run.report

  async function pinned(pin: Extract<ArchiveEntry, { kind: 'pins' }>['pins'][number]): Promise<void> {
    const repository = find(pin.repository)
    if (repository) await store.pin({ ...pin, repository: repository.name })
  }
}

class Run {
  readonly report = {
    imported: 0,
    present: 0,
    skipped: 0,
    bytes: 0,
    findings: [] as { artifact: string; reason: string }[],
  }
  private pending: Pending | undefined
  private repository: string | undefined

  constructor(
    private readonly find: ImportDeps['find'],
    private readonly intake: Intake,
    private readonly force: boolean,
  ) {}

  async begin(record: StoredRecord): Promise<void> {
    const name = repositoryOf(record.key)
    // Bodies stand once for each repository in an archive.
    if (name !== this.repository) await this.intake.release()
    this.repository = name
    const repository = this.find(name)
    if (!repository) return this.skip(record.key, 'no repository here has that name')
    const offer = offerOf(repository, record, this.force)
    const bodies = record.variants.map(({ body }) => body)
    if (typeof offer === 'string') {
      this.skip(record.key, offer)
      this.pending = { offer: undefined, key: cacheKey(repository.name, '/'), bodies, isDamaged: false }
      return
    }
    const isNews = (await this.intake.wanted(offer)).length > 0
    if (!isNews) this.report.present += 1
    this.pending = { offer: isNews ? offer : undefined, key: offer.key, bodies, isDamaged: false }
  }

  async take({ digest, size, chunks }: Extract<ArchiveEntry, { kind: 'blob' }>): Promise<void> {
    const { pending } = this
    const body = pending?.bodies.find((meant) => meant.digest === digest)
    // Of a repository that is left out.
    if (!pending || !body) return
    if (await this.intake.has(body)) {
      // Of one that is left out, what is here already needs no holding.
      if (!pending.offer) await this.intake.release([digest])
      return
    }
    if (body.size === size && (await this.intake.take(pending.key, body, chunks))) this.report.bytes += size
    else pending.isDamaged = true
  }

  /** Publishes the artifact whose bodies have been read. */
  async finish(): Promise<void> {
    const { pending } = this
    this.pending = undefined
    // A body that came with one that is left out stays at hand: others of its repository may have the same.
    if (!pending?.offer) return
    const { offer, isDamaged } = pending
    const bodies = offer.variants.map(({ body }) => body)
    const here = await Promise.all(bodies.map((body) => this.intake.has(body)))
    if (here.every((isHere) => !isHere))
      return this.skip(offer.key, isDamaged ? 'its body is damaged' : 'its body is missing')
    const result = await this.intake.publish(offer)
    await this.intake.release(bodies.map(({ digest }) => digest))
    if (result === 'purged') return this.skip(offer.key, 'it was purged meanwhile')
    if (result === 'kept') this.report.present += 1
    else if (here.every(Boolean)) this.report.imported += 1
    else this.skip(offer.key, 'the body of one of its variants is damaged or missing')
  }

  private skip(artifact: string, reason: string): void {
    this.report.skipped += 1
    if (this.report.findings.length < mostNamed) this.report.findings.push({ artifact, reason })
  }
}
