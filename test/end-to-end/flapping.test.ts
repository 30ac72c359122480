import { describe, expect, it, onTestFinished } from 'vitest'
import { type FlappingFile, startFlappingOrigin } from '../support/flapping-origin.js'
import { get } from '../support/http.js'
import { startLarder } from '../support/larder.js'
import { choices } from '../support/seeded.js'

const seed = 20_261_121
const clients = 100
const artifactsEach = 4

const mebibyte = 1024 * 1024
const sizes = [0, 1, 1_000, 16 * 1024, 16 * 1024 + 1, 100_000, 300_000, 700_000, mebibyte, 2 * mebibyte]

/** Every size with a strong validator, and with less to resume by. */
const kinds: readonly Omit<FlappingFile, 'body'>[] = [
  {},
  { etag: false },
  { etag: false, lastModified: false },
  { ranges: false },
  { framing: 'chunked' },
  { framing: 'chunked', etag: 'W/"weak"', lastModified: false },
]

function artifacts(): Map<string, FlappingFile> {
  const { bytes } = choices(seed)
  return new Map(
    Array.from({ length: 25 }, (_, i): [string, FlappingFile] => {
      const body = bytes(sizes[i % sizes.length] as number).subarray(0, sizes[i % sizes.length])
      return [`/artifact-${i}.tgz`, { body, ...kinds[i % kinds.length] }]
    }),
  )
}

const settings = {
  retry: { attempts: 20, budget: '60s', resumes: 20 },
  timeout: { connect: '5s', headers: '1s', stall: '5s' },
}

describe('U2, U3: a remote half of whose requests fail, and three in ten of whose bodies are cut', () => {
  it('looks healthy: every one of 100 clients gets exactly the right bytes', { timeout: 300_000 }, async () => {
    const files = artifacts()
    const origin = await startFlappingOrigin(files, seed)
    onTestFinished(() => origin.stop())
    const config = JSON.stringify({ repositories: { raw: { remote: origin.url, ...settings } } })
    const larder = await startLarder({ config })
    onTestFinished(() => larder.dispose())

    const wrong: string[] = []
    const client = async (_: unknown, number: number) => {
      const { of } = choices(seed + number)
      for (let i = 0; i < artifactsEach; i += 1) {
        const [path, { body }] = of([...files])
        const got = await get(`${larder.url}/repository/raw${path}`)
        if (got.status === 200 && got.ended === 'end' && got.body.equals(body)) continue
        wrong.push(
          `${path}: ${got.status} ${got.header('x-larder-error') ?? ''} ${got.ended}, ${got.body.length} bytes`,
        )
      }
    }
    await Promise.all(Array.from({ length: clients }, client))

    expect(wrong).toEqual([])
    const counts = [...origin.requests.values()]
    expect(Math.max(...counts)).toBeLessThanOrEqual(30)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThan(clients * artifactsEach)
    const metrics = (await get(`${larder.url}/metrics`)).body.toString()
    expect(metrics).toMatch(/^larder_resumes_total\{[^}]*\} [1-9]/m)
    expect(metrics).not.toMatch(/^larder_fills_total\{[^}]*result="failed"/m)
    expect(metrics).not.toMatch(/^larder_breaker_openings_total\{/m)
    expect(larder.errors).toBe('')
  })
})
