import type { AdministeredStore } from './catalogue.js'
import type { TaskWork } from './tasks.js'
import type { Finding } from './views.js'

/** Reads all bodies again (D4); `rate` in bytes a second, at most. */
export const verification =
  (store: AdministeredStore, rate: number | undefined): TaskWork =>
  async ({ signal, progress, found }) => {
    const { records } = store.totals()
    const show = (counters: Readonly<Record<'checked' | 'bytes' | 'damaged', number>>) =>
      progress({ ...counters, records })
    show({ checked: 0, bytes: 0, damaged: 0 })
    const onDamaged = (damaged: Damaged) => found(findingOf(damaged))
    show(await store.verify({ signal, onProgress: show, onDamaged, ...(rate !== undefined && { rate }) }))
  }

interface Damaged {
  readonly key: string
  readonly digest?: string
  readonly reason: string
}

function findingOf({ key, digest, reason }: Damaged): Finding {
  // A record that cannot be decoded is known by its storage key alone: `v1/<repository>/<path, escaped>/<hash>` (D5).
  const written = reason === 'record' ? key.replace(/^v\d+\//, '') : key
  const slash = written.indexOf('/')
  return {
    ...{ repository: written.slice(0, slash), path: written.slice(slash + 1), reason },
    sha256: digest?.replace('sha256:', '') ?? null,
  }
}

/** Removes what is of no use any more (D7). */
export const gc =
  (store: AdministeredStore): TaskWork =>
  async ({ signal, progress }) =>
    progress({ ...(await store.gc(signal)) })
