import { describe, expect, it } from 'vitest'
import { derivedSource } from '../../src/proxy/derived-source.js'
import type { Artifact } from '../../src/proxy/resolution.js'
import type { RewritePlan } from '../../src/proxy/rewriter.js'
import { configured } from './configured.js'

const get = { method: 'GET', headers: [] } as const

/** A source whose original passes by once it is let come; how often that was discarded. */
async function stage() {
  const repository = await configured({ rewrite: [{ match: '**' }] })
  let discarded = 0
  const chunks = (async function* () {})()
  const discard = () => {
    discarded += 1
  }
  const original: Artifact = {
    ...{ status: 200, headers: ['ETag', '"e"'], size: undefined, digest: undefined, age: undefined },
    body: { kind: 'passing', chunks, discard },
  }
  const plan: RewritePlan = {
    id: 'plan',
    rewrite: () => ({ chunks, outcome: () => ({ kind: 'rewritten', files: 0, urls: 0 }) }),
  }
  let letCome = () => {}
  const coming = new Promise<void>((resolve) => {
    letCome = resolve
  })
  const source = derivedSource({
    ...{ plan, signal: new AbortController().signal },
    request: { repository, method: 'GET', target: '/a', headers: [], leaving: () => new AbortController().signal },
    async resolve() {
      await coming
      return { kind: 'artifact', artifact: original, cache: { outcome: 'bypass' } }
    },
  })
  return { source, letCome, discarded: () => discarded }
}

describe('K7: a form that is made once more, for one client, lets its original go', () => {
  it('when the client leaves before that is here', async () => {
    const { source, letCome, discarded } = await stage()
    const left = new AbortController()
    const opening = source.open({ ...get, signal: left.signal })
    left.abort(new Error('left'))
    letCome()
    await expect(opening).rejects.toThrow('left')
    expect(discarded()).toBe(1)
  })

  it('when the client leaves before it is read', async () => {
    const { source, letCome, discarded } = await stage()
    const left = new AbortController()
    letCome()
    await source.open({ ...get, signal: left.signal })
    left.abort()
    expect(discarded()).toBe(1)
  })

  it('when it is discarded', async () => {
    const { source, letCome, discarded } = await stage()
    letCome()
    ;(await source.open(get)).discard()
    expect(discarded()).toBe(1)
  })
})
