import type { RetentionPolicy } from '../caching/repository.js'
import type { Metrics } from '../metrics.js'
import type { RecordStore } from './record-store.js'

export interface MeasureOptions {
  readonly records: RecordStore
  readonly metrics: Metrics
  readonly maxSize: number
  readonly retentionOf: (repository: string) => RetentionPolicy | undefined
}

/** Brings the metrics of what is stored up to date. */
export function measure({ records, metrics, maxSize, retentionOf }: MeasureOptions): void {
  const whole = records.totals()
  metrics.records.set(whole.records)
  metrics.storedBytes.set(whole.bytes)
  metrics.storeCap.set(maxSize)
  for (const gauge of [metrics.repositoryRecords, metrics.repositoryBytes, metrics.repositoryCap]) gauge.reset()
  for (const repository of records.repositories()) {
    const own = records.totals(repository)
    metrics.repositoryRecords.set({ repository }, own.records)
    metrics.repositoryBytes.set({ repository }, own.bytes)
    const cap = retentionOf(repository)?.maxSize
    if (cap !== undefined) metrics.repositoryCap.set({ repository }, cap)
  }
}
