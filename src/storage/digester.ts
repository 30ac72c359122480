import { Worker } from 'node:worker_threads'
import type { Algorithm } from '../caching/integrity.js'

/** In hex. */
export interface Digests {
  readonly sha256: string
  readonly md5?: string
}

/** Digests files while they grow, off the main thread: there each GiB would stop all answers for most of a second. */
export interface Digester {
  /** Begins with an open file, which nothing else may close before `end`, or with none: then all bytes are to be given. */
  start(fd: number | undefined, algorithms: readonly Algorithm[]): DigestRun
  close(): void
}

export interface DigestRun {
  /** The file has that many bytes now; they are taken in behind. */
  advance(size: number): void
  /** The bytes that come next, instead of the file's. They are copied. */
  take(bytes: Uint8Array): void
  /** The digests of the first `size` bytes; more may follow. */
  digests(size: number): Promise<Digests>
  /** Resolves when the file is not touched any more. */
  end(): Promise<void>
}

interface Message {
  readonly run: number
  readonly fd: number | undefined
  readonly algorithms: readonly Algorithm[]
  readonly size: number
  /** In place of the file's. */
  readonly bytes?: Uint8Array<ArrayBuffer>
  readonly ask: 'advance' | 'digests' | 'end'
}

interface Reply {
  readonly run: number
  readonly digests?: Digests
  readonly error?: Error
}

export function createDigester(): Digester {
  let worker: Worker | undefined
  let runs = 0
  /** By run; its calls are answered in order. */
  const waiting = new Map<number, { resolve(digests: Digests | undefined): void; reject(error: Error): void }[]>()

  const hire = (): Worker => {
    const hired = new Worker(`(${work})()`, { eval: true })
    hired.unref()
    hired.on('message', ({ run, digests, error }: Reply) => {
      const call = waiting.get(run)?.shift()
      if (error) call?.reject(error)
      else call?.resolve(digests)
    })
    hired.on('error', (error) => {
      worker = undefined
      for (const calls of waiting.values()) for (const call of calls.splice(0)) call.reject(error)
    })
    return hired
  }

  return {
    start(fd, algorithms) {
      runs += 1
      const run = runs
      const post = (ask: Message['ask'], size: number) => {
        worker ??= hire()
        worker.postMessage({ run, fd, algorithms, size, ask } satisfies Message)
      }
      const call = (ask: 'digests' | 'end', size: number) =>
        new Promise<Digests | undefined>((resolve, reject) => {
          const calls = waiting.get(run) ?? []
          waiting.set(run, calls)
          calls.push({ resolve, reject })
          post(ask, size)
        })
      return {
        advance: (size) => post('advance', size),
        take(chunk) {
          worker ??= hire()
          // A copy of just these: a view would take its whole buffer along.
          const bytes = new Uint8Array(chunk)
          worker.postMessage({ run, fd, algorithms, size: 0, bytes, ask: 'advance' } satisfies Message, [bytes.buffer])
        },
        async digests(size) {
          return (await call('digests', size)) as Digests
        },
        async end() {
          await call('end', 0).catch(() => {})
          waiting.delete(run)
        },
      }
    },
    close() {
      void worker?.terminate()
    },
  }
}

/** What runs in the worker. It is handed over as text, so it may name nothing outside itself. */
function work(): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads')
  const { createHash } = process.getBuiltinModule('node:crypto')
  const { readSync } = process.getBuiltinModule('node:fs')
  const buffer = Buffer.allocUnsafeSlow(256 * 1024)
  const runs = new Map<number, { position: number; hashes: [Algorithm, import('node:crypto').Hash][] }>()

  const takeIn = ({ run, fd, algorithms, size, bytes }: Message) => {
    const state = runs.get(run) ?? { position: 0, hashes: algorithms.map((name) => [name, createHash(name)]) }
    runs.set(run, state)
    if (bytes) {
      for (const [, hash] of state.hashes) hash.update(bytes)
      state.position += bytes.length
      return state
    }
    if (fd === undefined && state.position < size)
      throw new Error(`there is no file for byte ${state.position} of ${size}`)
    while (state.position < size) {
      const count = readSync(fd as number, buffer, 0, Math.min(buffer.length, size - state.position), state.position)
      if (count === 0) throw new Error(`the file ended at byte ${state.position} of ${size}`)
      for (const [, hash] of state.hashes) hash.update(buffer.subarray(0, count))
      state.position += count
    }
    return state
  }

  parentPort?.on('message', (message: Message) => {
    const { run, ask } = message
    try {
      if (ask === 'end') runs.delete(run)
      const state = ask === 'end' ? undefined : takeIn(message)
      const digests = ask === 'digests' && state?.hashes.map(([name, hash]) => [name, hash.copy().digest('hex')])
      if (ask !== 'advance') parentPort.postMessage({ run, digests: digests && Object.fromEntries(digests) })
    } catch (error) {
      // A fault in advancing is met again, and told, when the digests are asked for.
      if (ask !== 'advance') parentPort.postMessage({ run, error })
    }
  })
}
