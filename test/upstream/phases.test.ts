import { ClientRequest } from 'node:http'
import { Socket } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { watchPhases } from '../../src/upstream/phases.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A request whose events the test makes; nothing is connected. */
function watched(host = 'name.test') {
  const request = new ClientRequest({ host, createConnection: () => new Socket() })
  const socket = Object.assign(new Socket(), { connecting: true })
  const expired = vi.fn()
  watchPhases(request, { connect: 100, headers: 1_000, stall: 1 }, expired)
  return { request, socket, expired }
}

it('each phase has its own time', () => {
  const { request, socket, expired } = watched()
  vi.advanceTimersByTime(99)
  request.emit('socket', socket)
  vi.advanceTimersByTime(99)
  socket.emit('lookup')
  vi.advanceTimersByTime(99)
  socket.emit('connect')
  vi.advanceTimersByTime(999)
  expect(expired).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(expired.mock.calls).toEqual([['the response']])
})

it.each([
  ['the connection', []],
  ['the name look-up', ['socket']],
  ['the connection', ['socket', 'lookup']],
])('%s expires on time after %j', (phase, events) => {
  const { request, socket, expired } = watched()
  for (const event of events) {
    if (event === 'socket') request.emit('socket', socket)
    else socket.emit(event)
  }
  vi.advanceTimersByTime(99)
  expect(expired).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(expired.mock.calls).toEqual([[phase]])
})

it.each(['127.0.0.1', '::1'])('no name is looked up for %s: its connection is waited for', (address) => {
  const { request, socket, expired } = watched(address)
  request.emit('socket', socket)
  vi.advanceTimersByTime(100)
  expect(expired.mock.calls).toEqual([['the connection']])
})

it.each(['response', 'close'])('nothing expires after %s, even when a late event comes', (event) => {
  const { request, socket, expired } = watched()
  request.emit('socket', socket)
  request.emit(event)
  socket.emit('lookup')
  vi.advanceTimersByTime(10_000)
  expect(expired).not.toHaveBeenCalled()
})
