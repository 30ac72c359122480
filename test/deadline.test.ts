import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { expect, it, onTestFinished } from 'vitest'
import { DeadlineMissed, deadline, within } from '../src/deadline.js'

function busyFor(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

it('what does not come in time is missed', async () => {
  await expect(within(1, new Promise(() => {}))).rejects.toThrow(DeadlineMissed)
})

it('what came in time, while the process was busy with something else, counts', async () => {
  const { port1, port2 } = new MessageChannel()
  onTestFinished(() => port1.close())
  // Of what comes next the timers are first.
  await turn()
  const answer = within(10, once(port1, 'message'))
  port2.postMessage('answer')
  busyFor(30)
  expect(await answer).toEqual(['answer'])
})

it('one that was met is not missed afterwards', async () => {
  let missed = 0
  deadline(1, () => {
    missed += 1
  })()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(missed).toBe(0)
})
