import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { StoredRecord } from '../../src/caching/record.js'
import { loadConfig } from '../../src/config/load.js'
import { LarderError } from '../../src/errors.js'
import { createLog } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import { createProxy } from '../../src/proxy/proxy.js'
import { noReplicas } from '../../src/proxy/replicas.js'
import type { ArtifactStore } from '../../src/storage/artifact-store.js'
import { noBulletin } from '../../src/storage/bulletin.js'
import type { UpstreamRequest } from '../../src/upstream/upstream.js'
import { temporaryDirectory } from '../support/stage.js'

const fault = new LarderError('STORE_FAULT', 'cannot read a record')

type Lookup = () => StoredRecord | undefined | Promise<StoredRecord | undefined>

/** A proxy whose store can do nothing but look up, and that badly; what it asks its remote for. */
async function inFrontOf(lookup: Lookup) {
  const file = join(await temporaryDirectory(), 'repositories.yaml')
  await writeFile(file, JSON.stringify({ repositories: { raw: { remote: 'http://remote.test' } } }))
  const [repository] = (await loadConfig(file, {})).repositories
  if (!repository) throw new Error('no repository')
  const asked: UpstreamRequest[] = []
  const fetch = async (request: UpstreamRequest) => {
    asked.push(request)
    const headers = ['Date', new Date().toUTCString(), 'Content-Length', '4', 'Cache-Control', 'max-age=60']
    const body = (async function* () {
      if (request.method === 'GET') yield Buffer.from('body')
    })()
    const framing = request.method === 'GET' ? 'length' : 'none'
    return { status: 200, headers, requestTime: 0, responseTime: 0, framing, body, discard() {} } as const
  }
  const proxy = createProxy({
    store: { lookup, lookUpAnew: lookup, epochOf: () => 0, onPurge() {} } as unknown as ArtifactStore,
    upstream: { fetch, close() {} },
    metrics: createMetrics(),
    log: createLog('silent'),
    userAgent: 'larder/test',
    via: '1.1 larder',
    rewriter: {
      plan() {
        throw new Error('no rule asks for it')
      },
    },
    publicUrl: () => undefined,
    replicas: noReplicas,
    bulletin: noBulletin,
    repositories: () => [],
  })
  const leaving = new AbortController().signal
  const resolve = (method: 'GET' | 'HEAD') =>
    proxy.resolve({ repository, method, target: '/a', headers: [], leaving: () => leaving })
  return { asked, resolve }
}

describe('K7: a record that can’t be read is no miss: its client is served past the store', () => {
  const lookups: [string, Lookup][] = [
    [
      'at once',
      () => {
        throw fault
      },
    ],
    ['later', () => Promise.reject(fault)],
    ['only when the fill looks again', once(() => undefined)],
  ]

  it.each(lookups)('%s', async (_, lookup) => {
    const { asked, resolve } = await inFrontOf(lookup)
    const resolution = await resolve('GET')
    expect(resolution).toMatchObject({ kind: 'artifact', cache: { outcome: 'bypass' }, artifact: { status: 200 } })
    const body = resolution.kind === 'artifact' ? resolution.artifact.body : undefined
    if (body?.kind !== 'passing') throw new Error('not passing')
    const chunks: Uint8Array[] = []
    for await (const chunk of body.chunks) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('body')
    expect(asked.map(({ method }) => method)).toEqual(['GET'])
  })

  it('HEAD too', async () => {
    const { asked, resolve } = await inFrontOf(() => Promise.reject(fault))
    expect(await resolve('HEAD')).toMatchObject({ kind: 'artifact', artifact: { size: 4 } })
    expect(asked.map(({ method }) => method)).toEqual(['HEAD'])
  })

  it('what is no fault of the store is not hidden', async () => {
    const { resolve } = await inFrontOf(() => Promise.reject(new Error('a mistake of ours')))
    await expect(resolve('GET')).rejects.toThrow('a mistake of ours')
  })
})

/** Answers the first call, and fails all others. */
function once(first: () => undefined): Lookup {
  let calls = 0
  return () => {
    calls += 1
    if (calls > 1) throw fault
    return first()
  }
}
