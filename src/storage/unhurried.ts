import { setImmediate as turn } from 'node:timers/promises'

/** Items handed on before everything else has its turn. */
const stride = 128

/** Hands the items on as they come; a long run of them keeps nobody waiting. Throws the signal's reason when it is aborted. */
export async function* unhurried<T>(
  items: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  let handed = 0
  for await (const item of items) {
    signal.throwIfAborted()
    yield item
    handed += 1
    if (handed % stride === 0) await turn()
  }
}

/** In lists of up to `size`, unhurriedly. */
export async function* inBatches<T>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<readonly T[], void, void> {
  let batch: T[] = []
  for await (const item of unhurried(items, signal)) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
