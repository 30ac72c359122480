import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { createPeersRoute } from '../../src/http/peers-route.js'
import { createBufferPool } from '../../src/http/pump.js'
import { createLog } from '../../src/log.js'
import { splitAnswer } from '../../src/peers/answer.js'
import { createHttpPeers } from '../../src/peers/http-peers.js'
import type { FillHead } from '../../src/proxy/fill.js'

const head = JSON.stringify({
  ...{ kind: 'growing', status: 200, headers: [], requestTime: 1, responseTime: 1 },
  ...{ framing: 'length', remote: 'https://remote.example', selecting: {} },
})

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What is followed of a peer that answers so, given up after so many ms without a byte. */
async function follow(answer: (response: ServerResponse) => void, stall: number, log = createLog('silent')) {
  const url = await serving((_, response) => answer(response))
  const peers = createHttpPeers({ secret: () => 'secret', patience: 5000, stall, log })
  return peers.follow(url, '0'.repeat(64), { hurried: AbortSignal.abort() }, new AbortController().signal)
}

async function read(answer: Awaited<ReturnType<typeof follow>>): Promise<string> {
  if (answer?.kind !== 'growing') throw new Error(`not growing, but ${answer?.kind}`)
  let text = ''
  try {
    for await (const chunk of answer.response.body) text += Buffer.from(chunk).toString()
    return `${text}, whole`
  } catch (error) {
    return `${text}, ${(error as { code?: string }).code}`
  }
}

it('a body that ends is whole', async () => {
  expect(await read(await follow((response) => response.end(`${head}\nbytes`), 5000))).toBe('bytes, whole')
})

it('a peer that falls silent in the middle of a body breaks it off: the rest comes from the remote', async () => {
  expect(await read(await follow((response) => response.write(`${head}\nbytes`), 50))).toBe('bytes, UPSTREAM_CUT')
})

it.each([
  ['before it says what there is', (response: ServerResponse) => response.flushHeaders()],
  ['in the middle of its line', (response: ServerResponse) => response.write(head)],
])('a peer that falls silent %s is no answer', async (_, answer) => {
  expect(await follow(answer, 50)).toBeUndefined()
})

it.each([
  ['is over', '{"kind":"over"}', 200, { kind: 'over' }, undefined],
  [
    'has another secret',
    '',
    401,
    undefined,
    'a peer does not take our secret: theirs is another one; fetching without it',
  ],
  ['is no peer', '', 404, undefined, 'a peer says what means nothing here; fetching without it'],
  [
    'means something else',
    '{"kind":"new"}',
    200,
    undefined,
    'a peer says what means nothing here; fetching without it',
  ],
])('one that %s: the reason is told, once', async (_, body, status, answer, reason) => {
  const said: string[] = []
  const log = createLog('info', { write: (line) => void said.push((JSON.parse(line) as { msg: string }).msg) })
  expect(await follow((response) => response.writeHead(status).end(`${body}\n`), 5000, log)).toEqual(answer)
  expect(said).toEqual(reason === undefined ? [] : [reason])
})

it('who reads slowly is not taken for a peer that is silent', async () => {
  const answer = await follow((response) => {
    response.write(`${head}\nbytes`)
    response.end(', and more')
  }, 50)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(await read(answer)).toBe('bytes, and more, whole')
})

it('a peer whose remote takes its time shows that it lives', async () => {
  let answered = (_: FillHead) => {}
  const head = new Promise<FillHead>((resolve) => {
    answered = resolve
  })
  const route = createPeersRoute({
    underWay: () => ({ head: () => head, hurried: AbortSignal.abort(), hurry() {} }),
    ...{ isPass: () => true, pool: createBufferPool(), reset() {}, beat: 1 },
  })
  const server = await serving(route)
  const { body } = await fetch(`${server}/internal/v1/fills/${'0'.repeat(64)}`)
  const chunks: Uint8Array[] = []
  for await (const chunk of body ?? []) {
    if (chunks.length === 0) answered({ kind: 'refused', status: 404, headers: [] })
    chunks.push(chunk)
  }
  expect(Buffer.concat(chunks).toString()).toMatch(/^ +{/)
  const said = (async function* () {
    yield* chunks
  })()
  expect(await splitAnswer(said)).toEqual({ kind: 'refused', status: 404, headers: [] })
})
