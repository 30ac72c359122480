import { describe, expect, it } from 'vitest'
import { LarderError } from '../../src/errors.js'
import { createLog } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import { createDerivations } from '../../src/proxy/derive.js'
import type { Artifact } from '../../src/proxy/resolution.js'
import type { RewritePlan } from '../../src/proxy/rewriter.js'
import type { ArtifactStore } from '../../src/storage/artifact-store.js'
import { configured } from './configured.js'

const digest = `sha256:${'0'.repeat(64)}` as const

/** Derivations over a store that fails so, of an original that is on the disk; how often that was closed. */
async function stage(store: Partial<ArtifactStore>) {
  const repository = await configured({ rewrite: [{ match: '**' }] })
  let closed = 0
  const bytes = Buffer.from('theirs')
  const body = {
    read: async (into: Uint8Array, position: number) => bytes.copy(into, 0, position),
    close() {
      closed += 1
    },
  }
  const original = (method: string): Artifact => ({
    ...{ status: 200, headers: ['ETag', '"e"'], size: bytes.length, digest, age: 0 },
    body: method === 'HEAD' ? { kind: 'none' } : { kind: 'stored', body },
  })
  const plan: RewritePlan = {
    id: 'plan',
    rewrite: ({ body }) => ({ chunks: upperCase(body), outcome: () => ({ kind: 'rewritten', files: 1, urls: 1 }) }),
  }
  const { resolve } = createDerivations({
    resolve: ({ method }) => ({ kind: 'artifact', artifact: original(method), cache: { outcome: 'hit' } }),
    rewriter: { plan: () => plan },
    store: { onPurge() {}, ...store } as unknown as ArtifactStore,
    ...{ metrics: createMetrics(), log: createLog('silent') },
  })
  const leaving = () => new AbortController().signal
  const request = { repository, target: '/a', headers: [], publicUrl: 'https://l.test', leaving }
  return {
    closed: () => closed,
    async ask(method: 'GET' | 'HEAD') {
      const resolution = await resolve({ ...request, method })
      if (resolution.kind !== 'artifact') throw new Error(resolution.kind)
      return resolution.artifact
    },
  }
}

async function* upperCase({ read }: { read(into: Uint8Array, position: number): Promise<number> }) {
  const into = Buffer.alloc(100)
  for (let at = 0; ; ) {
    const count = await read(into, at)
    if (count === 0) return
    at += count
    yield Buffer.from(into.subarray(0, count).toString().toUpperCase())
  }
}

const fails = async () => {
  throw new LarderError('STORE_FAULT', 'the store does not answer')
}
const variant = { body: { digest, size: 6 }, headers: [] }
const record = { remote: digest, variants: [variant] } as unknown as Awaited<ReturnType<ArtifactStore['lookup']>>

describe('R5, K7: a derived form that can’t be looked up is made for its client alone', () => {
  it.each<[string, Partial<ArtifactStore>]>([
    ['its record', { lookup: fails }],
    ['its body', { lookup: async () => record, open: fails }],
  ])('%s', async (_, store) => {
    const { ask, closed } = await stage(store)
    const { body, headers, size } = await ask('GET')
    if (body.kind !== 'passing') throw new Error(body.kind)
    let text = ''
    for await (const chunk of body.chunks) text += Buffer.from(chunk)
    expect([text, size, closed()]).toEqual(['THEIRS', undefined, 1])
    expect((await ask('HEAD')).headers).toEqual(headers)
  })

  it('what its client leaves is closed', async () => {
    const { ask, closed } = await stage({ lookup: fails })
    const { body } = await ask('GET')
    if (body.kind === 'passing') body.discard()
    expect(closed()).toBeGreaterThan(0)
  })

  it('another fault is no fault of the store', async () => {
    const { ask, closed } = await stage({ lookup: async () => Promise.reject(new Error('unforeseen')) })
    await expect(ask('GET')).rejects.toThrow('unforeseen')
    expect(closed()).toBe(1)
  })
})
