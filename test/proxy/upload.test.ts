import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.js'
import { isLarderError } from '../../src/errors.js'
import { createMetrics } from '../../src/metrics.js'
import { createUploads } from '../../src/proxy/upload.js'
import type { ArtifactStore } from '../../src/storage/artifact-store.js'
import { bytesOf, publish, type StageOptions, setArtifactStage } from '../storage/artifact-stage.js'
import { blobBody, collect, digestOf, expectBytes, inlineBody, noise } from '../storage/fixtures.js'

const [repository] = parseConfig(
  JSON.stringify({ repositories: { own: { type: 'hosted' } } }),
  'repositories.yaml',
  {},
).repositories
if (!repository) throw new Error('no repository')

/** A body that is handed on a chunk at a time, as told. */
function gated(bytes: Uint8Array) {
  let letGo = () => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  async function* body() {
    const half = Math.floor(bytes.length / 2)
    yield bytes.subarray(0, half)
    await gate
    yield bytes.subarray(half)
  }
  return { body: body(), letGo }
}

async function* whole(bytes: Uint8Array) {
  yield bytes
}

/** How it ended: the verdict, or the code of the refusal. */
const ending = (work: Promise<unknown>): Promise<string> =>
  work.then(
    (done) => (done as { verdict?: string } | undefined)?.verdict ?? 'removed',
    (error) => (isLarderError(error) ? error.code : String(error)),
  )

interface Sent {
  readonly redeploy?: boolean
  readonly conditions?: Readonly<Record<string, string>>
}

function uploading(store: ArtifactStore) {
  const uploads = createUploads({
    store,
    checksums: { pin: () => undefined },
    metrics: createMetrics(),
  })
  const put = (target: string, body: AsyncIterable<Uint8Array>, { redeploy = false, conditions = {} }: Sent = {}) => {
    const subject = { ...repository, redeploy } as typeof repository & object
    return ending(
      uploads.put({
        repository: subject,
        target,
        headers: ['Transfer-Encoding', 'chunked'],
        conditions,
        body,
        begin() {},
      }),
    )
  }
  return {
    uploads,
    put,
    send: (target: string, bytes: Uint8Array, sent: Sent = {}) => put(target, whole(bytes), sent),
    remove: (target: string) => ending(uploads.remove({ repository: repository as never, target, conditions: {} })),
  }
}

async function stage(options: StageOptions = {}) {
  const set = await setArtifactStage(options)
  const served = async (key: string) => bytesOf(set.store, await set.store.lookup(key))
  return { ...set, ...uploading(set.store), store: set.store, served }
}

const sizes = [
  ['inline', 100],
  ['as a blob', 50_000],
] as const

describe.each(sizes)('H4 H5: uploads that meet, %s', (_, size) => {
  it('an upload begun before a deletion does not come back', async () => {
    const { put, send, remove, served } = await stage()
    await send('/a', noise(size))
    const late = gated(noise(size))
    const lateUpload = put('/a', late.body, { redeploy: true })
    await new Promise(setImmediate)
    expect(await remove('/a')).toBe('removed')
    late.letGo()
    expect(await lateUpload).toBe('UPLOAD_OVERTAKEN')
    expect(await served('own/a')).toBeUndefined()
    expect(await send('/a', noise(size))).toBe('created')
  })

  it('where nothing was, a deletion finds nothing and takes nothing away', async () => {
    const { put, remove, served } = await stage()
    const bytes = noise(size)
    const upload = gated(bytes)
    const sent = put('/a', upload.body)
    await new Promise(setImmediate)
    expect(await remove('/a')).toBe('ARTIFACT_UNKNOWN')
    upload.letGo()
    expect(await sent).toBe('created')
    expectBytes(await served('own/a'), bytes)
  })

  it.each<[string, Sent, string]>([
    ['the later one is refused', {}, 'ARTIFACT_IMMUTABLE'],
    ['or replaces it, where it may', { redeploy: true }, 'replaced'],
    ['unless it said: nothing', { redeploy: true, conditions: { 'if-none-match': '*' } }, 'PRECONDITION_FAILED'],
  ])('two at once: %s', async (_, sent, end) => {
    const { put, send, served } = await stage()
    const [first, second] = [noise(size), noise(size)]
    const slow = gated(second)
    const slowUpload = put('/a', slow.body, sent)
    expect(await send('/a', first)).toBe('created')
    slow.letGo()
    expect(await slowUpload).toBe(end)
    expectBytes(await served('own/a'), end === 'replaced' ? second : first)
  })

  it('one that breaks off leaves nothing', async () => {
    const { put, served, store } = await stage()
    async function* broken() {
      yield noise(size)
      throw new Error('the client left')
    }
    expect(await put('/a', broken())).toBe('Error: the client left')
    expect(await served('own/a')).toBeUndefined()
    expect(store.totals()).toEqual({ records: 0, bytes: 0 })
  })

  it('idle: once none is under way', async () => {
    const { put, uploads } = await stage()
    const upload = gated(noise(size))
    const sent = put('/a', upload.body)
    let isIdle = false
    const idle = uploads.idle().then(() => {
      isIdle = true
    })
    await new Promise(setImmediate)
    expect(isIdle).toBe(false)
    upload.letGo()
    await sent
    await idle
  })
})

it('H4: of any uploads and deletions at once, what is there is what the last that was granted left', async () => {
  const bodies = [noise(10), noise(20_000), noise(30_000)]
  const step = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), body: fc.nat(2), redeploy: fc.boolean() }),
    fc.record({ kind: fc.constant('remove' as const) }),
  )
  const { send, remove, served, store } = await stage()
  const run = async (steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) => {
    const ends = await Promise.all(
      steps.map(async (one) => ({
        one,
        end: one.kind === 'put' ? await send('/a', bodies[one.body] as Buffer, one) : await remove('/a'),
      })),
    )
    const there = await served('own/a')
    const granted = ends.filter(({ end }) => ['created', 'replaced', 'unchanged'].includes(end))
    const digests = granted.map(({ one }) => one.kind === 'put' && digestOf(bodies[one.body] as Buffer))
    // Each that was created was nowhere before: so often, and once more where it is there now, it was removed.
    const count = (wanted: string) => ends.filter(({ end }) => end === wanted).length
    expect(count('created') - count('removed')).toBe(there ? 1 : 0)
    if (there) expect(digests).toContain(digestOf(there))
    if (steps.every((one) => one.kind === 'put' && !one.redeploy) && there) {
      expect(new Set(digests)).toEqual(new Set([digestOf(there)]))
    }
    await remove('/a')
    expect(store.totals()).toEqual({ records: 0, bytes: 0 })
  }
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), run), { numRuns: 60 })
})

describe('H2: nothing that was uploaded is lost', () => {
  const size = 50_000
  const forTests = { maxSize: 5 * size, retention: { own: { unusedFor: 1 } } }

  it.each([
    ['its own repository is over its cap', { retention: { own: { maxSize: 2 * size } } }, 'own/b'],
    ['the store is over its cap', { maxSize: 2 * size }, 'raw/b'],
  ])('where %s', async (_, options, other) => {
    const { send, store, served } = await stage(options)
    const bytes = noise(size)
    await send('/a', bytes)
    for (let i = 0; i < 4; i += 1)
      await publish(store, `${other}${i}`, noise(size), { head: { responseTime: Date.now() } })
    await store.gc()
    expectBytes(await served('own/a'), bytes)
    expect(store.totals().records).toBe(2)
  })

  it('where nobody asked for it for long, nor its repository is configured', async () => {
    const { send, store, served } = await stage(forTests)
    const bytes = noise(size)
    await send('/a', bytes)
    await publish(store, 'own/cached', noise(size), { head: { responseTime: 1000 } })
    store.use('own/a', Date.now() - 10_000)
    expect(await store.gc()).toMatchObject({ unused: 1 })
    expectBytes(await served('own/a'), bytes)
  })

  it('H6: it makes no room for others, and where it takes all there is no more', async () => {
    const { send, store, served } = await stage({ maxSize: 2.5 * size })
    await send('/a', noise(size))
    await publish(store, 'raw/a', noise(size), { head: { responseTime: Date.now() } })
    expect(await send('/b', noise(size))).toBe('created')
    expect(await served('raw/a')).toBeUndefined()
    expect(await send('/c', noise(size))).toBe('UPLOAD_NO_ROOM')
    expect(await publish(store, 'raw/b', noise(size))).toBe(false)
    expect(store.totals('own')).toEqual({ records: 2, bytes: 2 * size })
  })

  it('a fill does not replace it, where its repository became a proxy', async () => {
    const { send, store, served } = await stage()
    const bytes = noise(size)
    await send('/a', bytes)
    expect(await publish(store, 'own/a', noise(size))).toBe(false)
    expectBytes(await served('own/a'), bytes)
  })

  it('D4: a damaged one is told of once and marked, until the same bytes are sent again', async () => {
    const set = await stage()
    const { send, store, served, damaged, records } = set
    const bytes = noise(size)
    await send('/a', bytes)
    const { digest } = blobBody(bytes)
    await set.blobs.delete(digest, () => false)
    expect(await served('own/a')).toBeUndefined()
    expect(await served('own/a')).toBeUndefined()
    expect(damaged).toEqual([{ key: 'own/a', digest, reason: 'gone', kept: true }])
    expect((await records.get('own/a'))?.variants[0]).toMatchObject({ damaged: true, body: { digest } })
    expect(await store.verify()).toMatchObject({ damaged: 1 })
    expect(damaged).toHaveLength(1)
    expect(await send('/a', noise(size))).toBe('ARTIFACT_IMMUTABLE')
    expect(await send('/a', bytes)).toBe('replaced')
    expectBytes(await served('own/a'), bytes)
    expect((await records.get('own/a'))?.variants[0]).not.toHaveProperty('damaged')
  })

  it('D4: one whose disk was away for a while is sound again once that was verified', async () => {
    const hidden = { is: false }
    const { send, store, served, records } = await stage({
      blobs: (blobs) => ({
        ...blobs,
        open: async (...of) => (hidden.is ? 'unreadable' : blobs.open(...of)),
      }),
    })
    const bytes = noise(size)
    await send('/a', bytes)
    hidden.is = true
    expect(await served('own/a')).toBeUndefined()
    hidden.is = false
    expect((await records.get('own/a'))?.variants[0]?.damaged).toBe(true)
    await store.verify()
    expect((await records.get('own/a'))?.variants[0]?.damaged).toBeUndefined()
  })

  it('an import replaces it by force alone', async () => {
    const { send, store, served } = await stage()
    const [bytes, others] = [noise(100), noise(100)]
    await send('/a', bytes)
    const { inline: _, ...body } = inlineBody(others)
    const head = { status: 200, headers: [], requestTime: 0, responseTime: Date.now() + 1000, selecting: {} }
    const offer = { key: 'own/a', remote: 'upload', variants: [{ ...head, body }] }
    const intake = store.takeIn()
    expect(await intake.take('own/a', body, [others])).toBe(true)
    expect(await intake.publish({ ...offer, force: false })).toBe('kept')
    expectBytes(await served('own/a'), bytes)
    expect(await intake.publish({ ...offer, force: true })).toBe('stored')
    expectBytes(await served('own/a'), others)
    await intake.release()
  })
})

it('the store holds what it was given, and nothing else', async () => {
  const { send, records } = await stage()
  const bytes = noise(50_000)
  await send('/a', bytes)
  const [found] = await collect(records.list('own/'))
  expect(found).toMatchObject({ key: 'own/a', remote: 'upload', epoch: 0, variants: [{ status: 200, selecting: {} }] })
})
