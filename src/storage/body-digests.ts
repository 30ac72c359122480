import { createHash } from 'node:crypto'
import type { Algorithm } from '../caching/integrity.js'
import type { Digester, DigestRun, Digests } from './digester.js'
import type { StagedFile } from './staged-file.js'

/** The digester is told of this many new bytes at a time. */
const digestStep = 4 * 1024 * 1024

/** The digests of a body that comes in: of its file, and of what comes after without one. */
export class BodyDigests {
  readonly #digester: Digester
  readonly #file: StagedFile
  readonly #algorithms: readonly Algorithm[]
  /** Whether they are taken while the body comes in, because its last byte waits for them; else only when asked. */
  readonly #along: boolean
  #run: DigestRun | undefined
  #told = 0
  #fileEnded = false

  constructor(digester: Digester, file: StagedFile, promised: readonly Algorithm[]) {
    this.#digester = digester
    this.#file = file
    this.#along = promised.length > 0
    this.#algorithms = [...new Set<Algorithm>(['sha256', ...promised])]
  }

  /** The file has more. */
  fileGrew(): void {
    if (!this.#along || this.#file.written - this.#told < digestStep) return
    this.#told = this.#file.written
    this.#begun().advance(this.#told)
  }

  /** The file gets no more; what comes is to be taken. */
  endFile(): void {
    this.#fileEnded = true
    if (this.#along) this.#begun().advance(this.#file.written)
  }

  take(bytes: Uint8Array): void {
    if (this.#along) this.#begun().take(bytes)
  }

  /** Those of the first `size` bytes; `undefined` where they were not taken along and can't be taken any more. */
  async of(size: number): Promise<Digests | undefined> {
    return this.#fileEnded && !this.#along ? undefined : this.#begun().digests(size)
  }

  ofChunks(chunks: readonly Uint8Array[]): Digests {
    const digest = (algorithm: Algorithm) => {
      const hash = createHash(algorithm)
      for (const chunk of chunks) hash.update(chunk)
      return hash.digest('hex')
    }
    return { sha256: digest('sha256'), ...(this.#algorithms.includes('md5') && { md5: digest('md5') }) }
  }

  /** Resolves when the file is not touched any more. */
  async end(): Promise<void> {
    await this.#run?.end()
  }

  #begun(): DigestRun {
    this.#run ??= this.#digester.start(this.#file.fd, this.#algorithms)
    return this.#run
  }
}
