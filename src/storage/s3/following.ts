import { LarderError } from '../../errors.js'

/** Passes over the whole bucket, one after another, so that what others wrote gets known here. */
export interface Following {
  /** One that begins now or later; rejects where it fails. */
  pass(): Promise<void>
  /** Whether the last whole pass is recent enough that blobs may be removed on the strength of it. */
  isUpToDate(): boolean
  close(): Promise<void>
}

/**
 * ms since a whole pass began. By far less than half the time a blob is spared after it was put: all that was said of an older
 * one was heard then.
 */
const upToDateFor = 3600 * 1000

/** ms after a pass that failed. */
const retryAfter = 10_000

export function createFollowing(pages: () => AsyncIterable<unknown>, every: number): Following {
  let heardUntil = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let last: Promise<unknown> = Promise.resolve()

  const passNow = async () => {
    if (closed) return
    const began = performance.now()
    for await (const _ of pages()) if (closed) throw new LarderError('SHUTTING_DOWN', 'the store is closing')
    heardUntil = began
  }

  const pass = (): Promise<void> => {
    const passing = last.then(passNow)
    last = passing.catch(() => {})
    return passing
  }

  const goOn = async () => {
    const wait = await pass().then(
      () => every,
      () => retryAfter,
    )
    if (!closed) timer = setTimeout(goOn, wait * (0.9 + Math.random() / 5)).unref()
  }
  void goOn()

  return {
    pass,
    isUpToDate: () => performance.now() - heardUntil < upToDateFor,
    async close() {
      closed = true
      clearTimeout(timer)
      await last
    },
  }
}
