import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { createLog } from '../../src/log.js'
import { createHttpPeers } from '../../src/peers/http-peers.js'

const head = JSON.stringify({
  ...{ kind: 'growing', status: 200, headers: [], requestTime: 1, responseTime: 1 },
  ...{ framing: 'length', remote: 'https://remote.example', selecting: {} },
})

/** What is followed of a peer that answers so, given up after so many ms without a byte. */
async function follow(answer: (response: ServerResponse) => void, stall: number) {
  const server = createServer((_, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const peers = createHttpPeers({ secret: () => 'secret', patience: 5000, stall, log: createLog('silent') })
  const { port } = server.address() as AddressInfo
  return peers.follow(
    `http://127.0.0.1:${port}`,
    '0'.repeat(64),
    { hurried: AbortSignal.abort() },
    new AbortController().signal,
  )
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

it('who reads slowly is not taken for a peer that is silent', async () => {
  const answer = await follow((response) => {
    response.write(`${head}\nbytes`)
    response.end(', and more')
  }, 50)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(await read(answer)).toBe('bytes, and more, whole')
})
