import { setTimeout as sleep } from 'node:timers/promises'
import { open } from '../support/http.js'
import { choices } from '../support/seeded.js'
import { type Artifact, seed } from './catalogue.js'

export const clients = 300

/** What is asked for later is cold until then, so that there are fills under way all along. */
const waves = 3
const fetchesInWave = 2

/** What clients got. */
export interface Tally {
  requests: number
  /** Whole bodies, every byte looked at. */
  right: number
  /** Honest failures: a status of 5xx, a connection that broke. */
  failed: number
  /** What must never come. */
  readonly wrong: string[]
  /** Given up after the last try. */
  readonly unserved: string[]
}

export const tally = (): Tally => ({ requests: 0, right: 0, failed: 0, wrong: [], unserved: [] })

/** A client's tries for one artifact, and milliseconds between two: `curl --retry 9 --retry-delay 1 --retry-all-errors`. */
const tries = 10
const pause = 1_000

/** One client: some artifacts of each wave, one after the other; a few clients take the large ones, too. */
export async function client(
  number: number,
  base: string,
  artifacts: readonly Artifact[],
  count: Tally,
): Promise<void> {
  const { of } = choices(seed + number)
  const takesLarge = number % 10 === 0
  for (let wave = 0; wave < waves; wave += 1) {
    const offered = artifacts.filter((_, i) => i % waves === wave)
    const light = offered.filter(({ path }) => !path.startsWith('/large/'))
    const wanted = Array.from({ length: fetchesInWave }, () => of(light))
    for (const artifact of takesLarge ? [...wanted, ...offered.filter((each) => !light.includes(each))] : wanted) {
      await fetchOne(base, artifact, count)
    }
  }
}

/** Each artifact once, all at a time. */
export async function fetchAll(base: string, artifacts: readonly Artifact[]): Promise<Tally> {
  const count = tally()
  await Promise.all(artifacts.map((artifact) => fetchOne(base, artifact, count)))
  return count
}

/** Fetches one artifact as curl does, which tries again from the beginning. */
async function fetchOne(base: string, artifact: Artifact, count: Tally): Promise<void> {
  for (let left = tries; left > 0; left -= 1) {
    count.requests += 1
    const outcome = await ask(base + artifact.path, artifact)
    if (outcome === 'right') {
      count.right += 1
      return
    }
    if (outcome !== 'failed') {
      count.wrong.push(`${artifact.path}: ${outcome}`)
      return
    }
    count.failed += 1
    await sleep(pause)
  }
  count.unserved.push(artifact.path)
}

/** `right`, `failed` where the client can tell that it has nothing whole, or else what is wrong. */
async function ask(url: string, { body }: Artifact): Promise<string> {
  let taken = 0
  let wrongFrom: number | undefined
  const take = (chunk: Buffer) => {
    if (!body.subarray(taken, taken + chunk.length).equals(chunk)) wrongFrom ??= taken
    taken += chunk.length
  }
  const opened = await open(url, { take }).catch(() => undefined)
  const ended = (await opened?.finished)?.ended
  if (!opened || opened.status >= 500) return 'failed'
  if (opened.status !== 200) return `status ${opened.status}`
  if (wrongFrom !== undefined) return `wrong bytes from ${wrongFrom} on`
  if (ended !== 'end') return 'failed'
  return taken === body.length ? 'right' : `ended well after ${taken} of ${body.length} bytes`
}
