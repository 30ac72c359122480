import { existsSync } from 'node:fs'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { administer } from '../support/admin.js'
import { get, open } from '../support/http.js'
import { until } from '../support/stage.js'
import { blobFile } from '../support/store-audit.js'
import type { Lane } from './crash-lane.js'

/** Brings a server to an instant of its work and kills it there. The process is gone, or going, when it resolves. */
export type CrashStage = (lane: Lane) => Promise<unknown>

/** In the middle of a fill that has come so far: bytes of the body, -1 before the head. */
const filling =
  (offset: (size: number) => number): CrashStage =>
  async (lane) => {
    const artifact = lane.release('fixed')
    const gate = lane.origin.hold(artifact.path, offset(artifact.body.length))
    for (let i = 0; i < lane.choices.below(3); i += 1) lane.ask(artifact)
    await Promise.race([gate.reached, lane.ask(artifact)])
    await lane.blink()
    lane.larder.signal('SIGKILL')
  }

/** Between the last byte and the record. */
const publishing: CrashStage = async (lane) => {
  const artifact = lane.release('fixed')
  await get(lane.url(artifact)).catch(() => {})
  const blob = blobFile(lane.larder.data, artifact.digest)
  // Small bodies have no blob: there the moment is one of chance.
  for (let i = 0; i < 200 && artifact.body.length > 16 * 1024 && !existsSync(blob); i += 1) await turn()
  if (lane.choices.below(2) === 0) await lane.blink()
  lane.larder.signal('SIGKILL')
}

/** While the remote is asked whether a stale copy still holds, or just after it said so. */
const validating: CrashStage = async (lane) => {
  const artifact = await lane.published('mutable')
  const gate = lane.origin.hold(artifact.path, -1)
  await Promise.race([gate.reached, lane.ask(artifact)])
  if (lane.choices.below(2) === 0) gate.letGo()
  await lane.blink()
  lane.larder.signal('SIGKILL')
}

/** While a new version takes the place of a stored one. */
const replacing: CrashStage = async (lane) => {
  const artifact = await lane.published('mutable')
  lane.change(artifact)
  lane.ask(artifact)
  await lane.blink()
  lane.larder.signal('SIGKILL')
}

/** While a body that is gone from the disk is found to be missing and fetched anew. */
const mending: CrashStage = async (lane) => {
  const artifact = await lane.published('fixed')
  await lane.lose(artifact)
  lane.ask(artifact)
  await lane.blink()
  lane.larder.signal('SIGKILL')
}

/** Many at a time, of every size. */
const crowded: CrashStage = async (lane) => {
  const artifacts = Array.from({ length: 12 }, () => lane.release('fixed'))
  const enough = lane.choices.below(artifacts.length)
  let done = 0
  for (const artifact of artifacts) {
    void lane.ask(artifact).then(() => {
      done += 1
    })
  }
  await until(() => done >= enough, 'some are through')
  await lane.blink()
  lane.larder.signal('SIGKILL')
}

/** A client that reads slowly, and one that left. */
const abandoned: CrashStage = async (lane) => {
  const artifact = lane.release('fixed')
  const leaving = await open(lane.url(artifact))
  leaving.destroy()
  lane.ask(artifact)
  await lane.blink()
  lane.larder.signal('SIGKILL')
}

const stopping: CrashStage = async (lane) => {
  lane.ask(lane.release('fixed'))
  await lane.blink()
  lane.larder.signal('SIGTERM')
  await lane.blink()
  lane.larder.signal('SIGKILL')
}

/** Killed again before it listens: what the last one left is being cleaned. */
const starting: CrashStage = async (lane) => {
  lane.larder.signal('SIGKILL')
  await lane.larder.exited()
  lane.larder.spawn()
  await sleep(lane.choices.below(400))
  lane.larder.signal('SIGKILL')
}

/** Whether the API said that it is done; false where it was killed before. */
const call = (lane: Lane, route: string, body: object): Promise<boolean> =>
  administer(lane.larder, 'POST', route, body).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      // Not the connection broke, but the API refused.
      if (error.code === undefined && !(error instanceof SyntaxError)) throw error
      return false
    },
  )

/** What was purged, once that was said, stays away; what was not is there or not. */
const purging: CrashStage = async (lane) => {
  const artifact = await lane.published('fixed')
  const selection = lane.choices.of<object>([{ path: artifact.path.slice(1) }, { prefix: artifact.path.slice(1) }])
  const purged = call(lane, '/purge', { repository: 'raw', ...selection })
  if (lane.choices.below(2) === 0) lane.purged(artifact, await purged)
  else {
    await lane.blink()
    lane.purged(artifact, false)
  }
  lane.larder.signal('SIGKILL')
  await purged
}

/** A fill that began before a purge of everything below its directory. */
const fenced: CrashStage = async (lane) => {
  const artifact = lane.release('fixed')
  const gate = lane.origin.hold(artifact.path, Math.floor(artifact.body.length / 2))
  await Promise.race([gate.reached, lane.ask(artifact)])
  const isPurged = await call(lane, '/purge', { repository: 'raw', prefix: artifact.path.slice(1) })
  gate.letGo()
  await lane.blink()
  lane.purged(artifact, isPurged)
  lane.larder.signal('SIGKILL')
}

/** While everything is read again. */
const verifying: CrashStage = async (lane) => {
  const verified = call(lane, '/tasks', { kind: lane.choices.of(['verify', 'gc']) })
  await lane.blink()
  lane.larder.signal('SIGKILL')
  await verified
}

export const stages: Readonly<Record<string, CrashStage>> = {
  connecting: filling(() => -1),
  'between head and body': filling(() => 0),
  'in mid-body': filling((size) => Math.floor(size / 2)),
  'before the last byte': filling((size) => Math.max(0, size - 1)),
  'between blob and record': publishing,
  'in a validation': validating,
  'in a replacement': replacing,
  'in a repair': mending,
  'in a crowd': crowded,
  'after a client left': abandoned,
  'while stopping': stopping,
  'while starting': starting,
  'in a purge': purging,
  'in a fill that was purged': fenced,
  'in a verification': verifying,
}
