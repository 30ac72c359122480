import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { mswRemote } from '../proxy/remote.js'
import { bash } from '../support/http.js'
import { inFront, raw } from '../support/in-process.js'
import { noise } from '../support/stage.js'

const remote = mswRemote()
const request = 'GET /repository/raw/a HTTP/1.0\r\n\r\n'
const parts = ({ text }: { text: string }) => {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  return { head, body: Buffer.from(rest.join('\r\n\r\n'), 'latin1') }
}

describe('C12: HTTP/1.0 clients', () => {
  it('never get chunks, cold or warm', async () => {
    const { origin, larder } = await behindSocket()
    const sent = origin.put('/a', noise(100_000))
    origin.plan('/a', { framing: 'chunked' })
    const cold = parts(await raw(larder.url, request))
    await larder.settled()
    const warm = parts(await raw(larder.url, request))
    for (const { head, body } of [cold, warm]) {
      expect(head).toMatch(/^HTTP\/1\.\d 200 /)
      expect(head).not.toMatch(/transfer-encoding/i)
      expect(body.equals(sent)).toBe(true)
    }
    expect(warm.head).toMatch(/\r\nContent-Length: 100000(\r\n|$)/)
    expect(origin.count('/a')).toBe(1)
  })

  it('a bypass has none either', async () => {
    const { origin, larder } = await behindSocket()
    const sent = origin.put('/a', noise(100_000), { headers: { 'Cache-Control': 'no-store' } })
    origin.plan('/a', { framing: 'chunked' })
    const { head, body } = parts(await raw(larder.url, request))
    expect(head).not.toMatch(/transfer-encoding/i)
    expect(body.equals(sent)).toBe(true)
  })

  it('a body without a length that breaks off ends by a reset, not like a whole one', async () => {
    const { origin, larder } = await behindSocket({ retry: { attempts: 1, budget: '1s', resumes: 0 } })
    origin.put('/a', noise(500_000))
    const gate = origin.hold('/a', 100_000, { framing: 'chunked', cut: 200_000 })
    const { hostname, port } = new URL(larder.url)
    const ended = bash(
      `exec 3<>/dev/tcp/${hostname}/${port}; printf 'GET /repository/raw/a HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null`,
      '/',
    )
    await gate.reached
    const follower = await larder.open('/a')
    await follower.firstByte
    gate.letGo()
    expect((await ended).stderr).toContain('reset')
  })

  it('a path that is not there: an empty 404 with its length', async () => {
    remote.answer('/a', { status: 404 })
    const larder = await inFront(remote.url)
    const { head, body } = parts(await raw(larder.url, request))
    expect(head).toMatch(/^HTTP\/1\.\d 404 /)
    expect(head).toMatch(/\r\nContent-Length: 0(\r\n|$)/)
    expect(body).toHaveLength(0)
  })
})
