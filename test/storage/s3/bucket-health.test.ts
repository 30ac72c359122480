import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { LarderError } from '../../../src/errors.js'
import { Answer } from '../../../src/storage/s3/answers.js'
import { createBucketHealth } from '../../../src/storage/s3/bucket-health.js'
import { settled } from '../fixtures.js'

it('each reason why it does not answer is told once, until it does', async () => {
  const said: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => said.push(JSON.parse(line).err?.message ?? 'well') })
  const health = createBucketHealth(log, 1)
  onTestFinished(health.close)
  const silent = new Answer(undefined, 'ECONNREFUSED', 'nobody listens')
  const refused = new Answer(403, 'AccessDenied', 'not for you')
  const asked = (cause: unknown) => new LarderError('STORE_FAULT', 'the bucket cannot be asked', { cause })
  const trials = [asked(silent), asked(refused), asked(refused), undefined, asked(silent), undefined]
  health.watch(async () => {
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
