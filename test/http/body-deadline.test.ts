import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createBodyDeadline } from '../../src/http/body-deadline.js'
import { behindSocket } from '../proxy/origin.js'
import { adminToken } from '../support/admin.js'

/** A request of which so much is known as the deadline looks at. */
const request = (headers: Record<string, string>, complete = false) =>
  Object.assign(new EventEmitter(), { headers, complete, socket: {} }) as unknown as IncomingMessage & EventEmitter

describe('the time a client may take for a body', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it.each([
    ['a body that does not come', { 'content-length': '5' }, false, 1],
    ['chunks that do not come', { 'transfer-encoding': 'chunked' }, false, 1],
    ['a body that is here', { 'content-length': '5' }, true, 0],
    ['no body', {}, false, 0],
  ])('%s', (_, headers, complete, resets) => {
    const reset = vi.fn()
    createBodyDeadline(60_000, reset).watch(request(headers, complete))
    vi.advanceTimersByTime(59_999)
    expect(reset).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(reset).toHaveBeenCalledTimes(resets)
  })

  it.each([
    ['lifted', (asked: IncomingMessage, lift: (request: IncomingMessage) => void) => lift(asked)],
    ['over', (asked: IncomingMessage & EventEmitter) => void asked.emit('close')],
  ])('is %s', (_, end) => {
    const reset = vi.fn()
    const deadline = createBodyDeadline(60_000, reset)
    const asked = request({ 'content-length': '5' })
    deadline.watch(asked)
    end(asked, deadline.lift)
    vi.advanceTimersByTime(600_000)
    expect(reset).not.toHaveBeenCalled()
  })
})

describe('a body of the API that takes too long', () => {
  it.each([
    ['/purge', 'reset'],
    ['/import', 'waited for'],
  ])('%s: %s', async (route, fate) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { larder } = await behindSocket()
    const token = await adminToken(larder)
    let go = () => {}
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    async function* slow() {
      yield Buffer.from('{')
      await held
      yield Buffer.from('}')
    }
    const init = {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: slow(),
      duplex: 'half' as const,
    }
    const answer = fetch(`${larder.url}/api/v1${route}`, init).then(
      () => 'waited for',
      () => 'reset',
    )
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(61_000)
    vi.useRealTimers()
    await new Promise((resolve) => setTimeout(resolve, 50))
    go()
    expect(await answer).toBe(fate)
  })
})
