import { randomBytes } from 'node:crypto'

/** Ids unique across processes: a random part per process, a counter per request. */
export function createRequestIds(): () => string {
  const process = randomBytes(6).toString('hex')
  let count = 0
  return () => {
    count += 1
    return `${process}-${count.toString(36)}`
  }
}
