import { ClientRequest } from 'node:http'
import { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { watchPhases } from '../../src/upstream/phases.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** What came with the last millisecond counts. */
async function pass(milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds)
  await turn()
}

/** A request whose events the test makes; nothing is connected. */
function watched(host = 'name.test') {
  const request = new ClientRequest({ host, createConnection: () => null })
  const socket = Object.assign(new Socket(), { connecting: true })
  const expired = vi.fn()
  watchPhases(request, { connect: 100, headers: 1_000, stall: 1 }, expired)
  return { request, socket, expired }
}

it('each phase has its own time', async () => {
  const { request, socket, expired } = watched()
  await pass(99)
  request.emit('socket', socket)
  await pass(99)
  socket.emit('lookup')
  await pass(99)
  socket.emit('connect')
  await pass(999)
  expect(expired).not.toHaveBeenCalled()
  await pass(1)
  expect(expired.mock.calls).toEqual([['the response']])
})

it.each([
  ['the connection', []],
  ['the name look-up', ['socket']],
  ['the connection', ['socket', 'lookup']],
])('%s expires on time after %j', async (phase, events) => {
  const { request, socket, expired } = watched()
  for (const event of events) {
    if (event === 'socket') request.emit('socket', socket)
    else socket.emit(event)
  }
  await pass(99)
  expect(expired).not.toHaveBeenCalled()
  await pass(1)
  expect(expired.mock.calls).toEqual([[phase]])
})

it.each(['127.0.0.1', '::1'])('no name is looked up for %s: its connection is waited for', async (address) => {
  const { request, socket, expired } = watched(address)
  request.emit('socket', socket)
  await pass(100)
  expect(expired.mock.calls).toEqual([['the connection']])
})

it.each(['response', 'close'])('nothing expires after %s, even when a late event comes', async (event) => {
  const { request, socket, expired } = watched()
  request.emit('socket', socket)
  request.emit(event)
  socket.emit('lookup')
  await pass(10_000)
  expect(expired).not.toHaveBeenCalled()
})
