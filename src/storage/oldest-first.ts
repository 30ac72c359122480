import type { RecordStore, Use } from './record-store.js'

/** Uses read at a time. */
const pageSize = 64

/** The records of the repositories, least recently used first. What is used meanwhile may come again, or not at all. */
export function* oldestFirst(records: RecordStore, repositories: readonly string[]): Generator<Use> {
  const queues = repositories.map((repository) => oneByOne(records, repository))
  const heads = queues.map((queue) => ({ queue, next: queue.next() }))
  for (;;) {
    let first: (typeof heads)[number] | undefined
    for (const head of heads) {
      if (!head.next.done && !(first && lastUse(first) <= lastUse(head))) first = head
    }
    if (!first || first.next.done) return
    yield first.next.value
    first.next = first.queue.next()
  }
}

const lastUse = ({ next }: { readonly next: IteratorResult<Use, void> }) => (next.done ? 0 : next.value.lastUse)

function* oneByOne(records: RecordStore, repository: string): Generator<Use, void> {
  let page = records.leastUsed(repository, pageSize)
  while (page.length > 0) {
    yield* page
    page = records.leastUsed(repository, pageSize, page.at(-1))
  }
}
