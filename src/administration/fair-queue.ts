/**
 * Does `work` on all items, `width` at a time, taking next from the group of which fewest are under way: a slow remote keeps
 * no more than its share from the others. Rejects as soon as one does.
 */
export async function fairly<T>(
  items: readonly T[],
  { groupOf, width }: { groupOf: (item: T) => string; width: number },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const groups = new Map<string, { readonly waiting: T[]; active: number }>()
  for (const item of items.toReversed()) {
    const name = groupOf(item)
    const group = groups.get(name) ?? { waiting: [], active: 0 }
    group.waiting.push(item)
    groups.set(name, group)
  }
  const worker = async () => {
    for (;;) {
      const ready = [...groups.values()].filter(({ waiting }) => waiting.length > 0)
      const [group] = ready.sort((a, b) => a.active - b.active)
      const item = group?.waiting.pop()
      if (!group || item === undefined) return
      group.active += 1
      await work(item)
      group.active -= 1
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
}
