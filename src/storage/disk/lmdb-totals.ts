import type { Database } from 'lmdb'

type Totals = Database<number, string>

/** The names `<kind>/...`: '0' comes after '/'. */
export const below = (kind: string) => ({ start: `${kind}/`, end: `${kind}0` })

/** What comes to 0 goes: repositories that are no more leave no trace. */
export function add(totals: Totals, name: string, amount: number): void {
  if (amount === 0) return
  const sum = (totals.get(name) ?? 0) + amount
  toldOnce(sum === 0 ? totals.remove(name) : totals.put(name, sum))
}

export function sum(totals: Totals, kind: string): number {
  let all = 0
  for (const { value } of totals.getRange(below(kind))) all += value
  return all
}

export function clear(totals: Totals, kind: string): void {
  for (const name of [...totals.getKeys(below(kind))]) totals.removeSync(name)
}

/** A write within a transaction: its failure is told by the transaction, and must not be told again by nobody's promise. */
export function toldOnce(write: Promise<unknown>): void {
  write.catch(() => {})
}
