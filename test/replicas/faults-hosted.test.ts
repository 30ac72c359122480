import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { InProcess } from '../support/in-process.js'
import { missing, title } from '../support/servers.js'
import { noise, temporaryDirectory, until } from '../support/stage.js'
import { expectWhole, type FaultStage, faultStages, programs } from './fault-stage.js'

const token = 'a-token-that-may-write'

describe.skipIf(missing(...programs).length > 0)(title('P7: uploads to replicas of one bucket', ...programs), () => {
  const stages = faultStages()

  async function hosts(stage: FaultStage, settings = {}): Promise<[InProcess, InProcess]> {
    const file = join(await temporaryDirectory(), 'write')
    await writeFile(file, `ci: ${token}\n`)
    const options = { settings: { type: 'hosted', ...settings }, env: { LARDER_WRITE_TOKENS_FILE: file } }
    return (await stage.replicas(2, options)) as [InProcess, InProcess]
  }

  const send = async (replica: InProcess, method: string, path: string, body?: Buffer, headers = {}) =>
    (await replica.get(path, { Authorization: `Bearer ${token}`, ...headers }, { method, ...(body && { body }) }))
      .status

  it.each([
    ['small', 300],
    ['large', 600_000],
  ])('two of different bytes at once (%s ones): one is stored, the other refused', async (_, size) => {
    const [first, second] = await hosts(await stages.set())
    for (let round = 0; round < 5; round += 1) {
      const path = `/a-${round}`
      const bodies = [noise(size), noise(size)] as const
      const statuses = await Promise.all([send(first, 'PUT', path, bodies[0]), send(second, 'PUT', path, bodies[1])])
      expect([...statuses].sort()).toEqual([201, 409])
      const stored = statuses[0] === 201 ? bodies[0] : bodies[1]
      for (const replica of [first, second]) await expectWhole(await replica.open(path), stored)
    }
  })

  it('the same bytes at once: both hear that they are there', async () => {
    const [first, second] = await hosts(await stages.set())
    const body = noise(600_000)
    const statuses = await Promise.all([first, second].map((replica) => send(replica, 'PUT', '/a', body)))
    expect([...statuses].sort()).toEqual([201, 204])
    for (const replica of [first, second]) await expectWhole(await replica.open('/a'), body)
  })

  it('redeployed under If-Match through both at once: one replaces it, the other hears that it is another', async () => {
    const [first, second] = await hosts(await stages.set(), { redeploy: true })
    await send(first, 'PUT', '/a', noise(600_000))
    const tag = { 'If-Match': (await second.get('/a')).header('etag') ?? '' }
    const bodies = [noise(600_000), noise(600_000)] as const
    const statuses = await Promise.all([
      send(first, 'PUT', '/a', bodies[0], tag),
      send(second, 'PUT', '/a', bodies[1], tag),
    ])
    expect([...statuses].sort()).toEqual([204, 412])
  })

  it('redeployed through one, the other goes by that at once, not by what it has in memory', async () => {
    const [first, second] = await hosts(await stages.set(), { redeploy: true })
    for (let round = 0; round < 3; round += 1) {
      await send(first, 'PUT', '/a', noise(600_000))
      const tag = { 'If-Match': (await first.get('/a')).header('etag') ?? '' }
      expect(await send(second, 'PUT', '/a', noise(600_000), tag)).toBe(204)
    }
  })

  it('deleted through one, gone from the other; and free for other bytes', async () => {
    const [first, second] = await hosts(await stages.set())
    await send(first, 'PUT', '/a', noise(600_000))
    expect((await second.get('/a')).status).toBe(200)
    expect(await send(first, 'DELETE', '/a')).toBe(204)
    expect((await second.get('/a')).status).toBe(404)
    const other = noise(600_000)
    expect(await send(second, 'PUT', '/a', other)).toBe(201)
    // That it was deleted is trusted for 2 s where it was.
    await until(async () => (await first.get('/a')).status === 200, 'the other one sees it')
    for (const replica of [first, second]) await expectWhole(await replica.open('/a'), other)
  })

  it('deleted through one while it is sent to the other: not stored', async () => {
    const stage = await stages.set()
    const [first, second] = await hosts(stage)
    await send(first, 'PUT', '/a', noise(600_000))
    let reached = () => {}
    const atBlob = new Promise<void>((resolve) => {
      reached = resolve
    })
    let letGo = false
    stage.front.fault(({ method, path }) => {
      if (letGo || method !== 'PUT' || !path.includes('/blobs/')) return undefined
      reached()
      return { kind: 'late', by: 1000 }
    })
    await send(first, 'DELETE', '/a')
    const sending = send(second, 'PUT', '/a', noise(600_000))
    await atBlob
    letGo = true
    await send(first, 'PUT', '/a', noise(300))
    await send(first, 'DELETE', '/a')
    expect(await sending).toBe(409)
    for (const replica of [first, second]) expect((await replica.get('/a')).status).toBe(404)
  })

  it('while the bucket is away it is refused, not lost: what was answered 201 is there', async () => {
    const stage = await stages.set()
    const [first, second] = await hosts(stage)
    stage.front.fault(() => ({ kind: 'status', status: 503 }))
    expect(await send(first, 'PUT', '/a', noise(600_000))).toBeGreaterThanOrEqual(500)
    stage.front.fault(undefined)
    // One that met the trouble, too, asks again after a moment.
    await until(async () => (await second.get('/a')).status === 404, 'it is known to be absent')
  })
})
