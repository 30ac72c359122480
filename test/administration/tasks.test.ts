import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createTasks, type TaskWork } from '../../src/administration/tasks.js'
import { LarderError } from '../../src/errors.js'
import { createLog } from '../../src/log.js'

const silent = createLog('silent')

/** Work that ends when told so, or when it is cancelled. */
function heldWork() {
  let finish = () => {}
  const work: TaskWork = ({ signal, progress }) =>
    new Promise((resolve, reject) => {
      progress({ step: 1 })
      finish = resolve
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  return { work, finish: () => finish() }
}

describe('a task', () => {
  it('runs on, shows its progress and findings, and ends', async () => {
    const tasks = createTasks(silent)
    const held = heldWork()
    const { id } = tasks.start('verify', held.work)
    expect(tasks.get(id)).toMatchObject({ kind: 'verify', state: 'running', progress: { step: 1 }, endedAt: null })
    held.finish()
    await turn()
    expect(tasks.get(id)).toMatchObject({ state: 'done', error: null })
    expect(tasks.get(id)?.endedAt).not.toBeNull()
  })

  it('that is not stopped by being cancelled is done', async () => {
    const tasks = createTasks(silent)
    const { id } = tasks.start('gc', () => turn())
    tasks.cancel(id)
    await tasks.stop()
    expect(tasks.get(id)?.state).toBe('done')
  })

  it('is alone of its kind', async () => {
    const tasks = createTasks(silent)
    const { work } = heldWork()
    const { id } = tasks.start('verify', work)
    expect(() => tasks.start('verify', work)).toThrow(
      expect.objectContaining({ code: 'TASK_RUNNING', message: expect.stringContaining(id) }),
    )
    tasks.start('gc', async () => {})
    tasks.cancel(id)
    await turn()
    tasks.start('verify', async () => {})
  })

  it('is not started once the server stops, which ends those under way', async () => {
    const tasks = createTasks(silent)
    const { id } = tasks.start('verify', heldWork().work)
    await tasks.stop()
    expect(tasks.get(id)?.state).toBe('cancelled')
    expect(() => tasks.start('gc', async () => {})).toThrow(expect.objectContaining({ code: 'SHUTTING_DOWN' }))
  })

  it('is cancelled; once it has ended nothing changes', async () => {
    const tasks = createTasks(silent)
    const { id } = tasks.start('verify', heldWork().work)
    expect(tasks.cancel(id)?.state).toBe('running')
    await turn()
    expect(tasks.get(id)?.state).toBe('cancelled')
    expect(tasks.cancel(id)?.state).toBe('cancelled')
    expect(tasks.cancel('unknown')).toBeUndefined()
  })

  it.each([
    ['a fault of ours in words', new LarderError('STORE_FAULT', 'the store fails'), 'the store fails'],
    ['an unforeseen one without them', new Error('secret'), 'an unforeseen fault; the log says more'],
  ])('that fails tells %s', async (_, fault, said) => {
    const tasks = createTasks(silent)
    const { id } = tasks.start('gc', () => Promise.reject(fault))
    await turn()
    expect(tasks.get(id)).toMatchObject({ state: 'failed', error: said })
  })

  it('has no more than 1,000 findings, and is one of the last 50 that are remembered', async () => {
    const tasks = createTasks(silent)
    const finding = { repository: 'raw', path: 'a', sha256: null, reason: 'digest' }
    const first = tasks.start('verify', async ({ found }) => {
      for (let i = 0; i < 1001; i += 1) found(finding)
    })
    await turn()
    expect(tasks.get(first.id)?.findings).toHaveLength(1000)
    for (let i = 0; i < 60; i += 1) {
      tasks.start('gc', async () => {})
      await turn()
    }
    expect(tasks.get(first.id)).toBeUndefined()
    expect(tasks.list().length).toBeLessThanOrEqual(51)
  })
})
