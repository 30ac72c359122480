import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { LarderError } from '../../../src/errors.js'
import { createLog } from '../../../src/log.js'
import { Answer } from '../../../src/storage/s3/answers.js'
import { createBucketHealth } from '../../../src/storage/s3/bucket-health.js'
import { settled } from '../fixtures.js'

const full = new Answer(507, 'XMinioStorageFull', 'no room')
const silent = new Answer(undefined, 'ECONNREFUSED', 'nobody listens')
const asked = (cause: unknown) => new LarderError('STORE_FAULT', 'the bucket cannot be asked', { cause })

it('one that comes back without room is read from; at the start only once it has passed a trial', async () => {
  const health = createBucketHealth(createLog('silent'), 1)
  onTestFinished(health.close)
  let trials = 0
  let fault: unknown = asked(full)
  const trial = async () => {
    trials += 1
    if (fault) throw fault
  }
  const triedMore = () =>
    settled(
      () => trials,
      (count) => count > 3,
    )
  await health.watch(trial).catch(health.failed)
  await triedMore()
  expect(health.requireOpen).toThrow('does not answer')
  fault = undefined
  await settled(() => health.healthy, Boolean)
  fault = asked(full)
  health.failed(silent)
  expect(health.requireOpen).toThrow('does not answer')
  trials = 0
  await triedMore()
  expect(health.requireOpen).not.toThrow()
  expect(health.admits(undefined)).toBe(false)
})

it('each reason why it does not answer is told once, until it does', async () => {
  const said: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => said.push(JSON.parse(line).err?.message ?? 'well') })
  const health = createBucketHealth(log, 1)
  onTestFinished(health.close)
  const refused = new Answer(403, 'AccessDenied', 'not for you')
  const trials = [undefined, asked(silent), asked(refused), asked(refused), undefined, asked(silent), undefined]
  await health.watch(async () => {
    const fault = trials.shift()
    if (fault) throw fault
  })
  health.failed(silent)
  await settled(() => health.healthy, Boolean)
  health.failed(silent)
  await settled(() => health.healthy, Boolean)
  expect(trials).toEqual([])
  expect(said.map((text) => text.split(':')[0])).toEqual([
    'ECONNREFUSED nobody listens',
    'the bucket cannot be asked',
    'well',
    'ECONNREFUSED nobody listens',
    'well',
  ])
})
