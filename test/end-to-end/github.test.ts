import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { get, run } from '../support/http.js'
import type { Internet } from '../support/internet.js'
import type { OriginFile } from '../support/origin.js'
import { missing, title } from '../support/servers.js'
import { noise } from '../support/stage.js'
import { gitArchive, membersOf } from './archives.js'
import { onlineStage } from './online.js'
import { putOnGitHub } from './world.js'

const programs = ['git', 'openssl'] as const
const hosts = ['github.com', 'codeload.github.com', 'release-assets.githubusercontent.com']
const path = '/heroku/heroku-buildpack-gradle/archive/refs/tags/v49.tar.gz'
const made = '/heroku/heroku-buildpack-gradle/tar.gz/refs/tags/v49'
const asset = '/astral-sh/uv/releases/download/0.8.0/uv-x86_64-unknown-linux-gnu.tar.gz'
const script = 'curl https://lang-jvm.s3.amazonaws.com/jdk/heroku-24/openjdk17.tar.gz | tar xz\n'

describe.skipIf(missing(...programs).length > 0)(title('GitHub', ...programs), () => {
  const online = onlineStage()
  let archive: Buffer
  beforeAll(async () => {
    archive = await gitArchive({ 'bin/compile': script, 'lib/blob': noise(300_000) }, 'heroku-buildpack-gradle-49')
  })

  const strong = () => `"${createHash('sha256').update(archive).digest('hex')}"`

  const start = async (rest: Omit<OriginFile, 'body'> = {}, body: Buffer = archive) => {
    const { larder, internet } = await online({
      hosts,
      populate: (internet) => {
        putOnGitHub(internet, `https://github.com${path}`, body, rest)
        putOnGitHub(internet, `https://github.com${asset}`, noise(300_000))
      },
    })
    const at = (target: string) => `${larder.url}/repository/github${target}`
    return { larder, internet, at }
  }

  const asked = (internet: Internet) =>
    internet.requests().map(({ method, host, url }) => `${method} ${host}${url.split('?')[0]}`)
  const compileOf = async (body: Buffer) =>
    (await membersOf(body)).find(({ header }) => String(header.name).endsWith('bin/compile'))

  it.each([
    ['weak', undefined],
    ['strong', strong],
  ])('a source archive is fetched once, kept and rewritten; its tag is %s', async (kind, etag) => {
    const { larder, internet, at } = await start(etag && { etag: etag() })
    const head = await get(at(path), { method: 'HEAD' })
    expect([head.status, head.header('location'), head.header('content-length')]).toEqual([200, undefined, undefined])
    expect(head.header('etag')).toMatch(kind === 'weak' ? /^W\/"larder-/ : /^"larder-/)
    for (const _ of ['cold', 'warm']) {
      const { status, body, ...answer } = await get(at(path))
      expect([status, answer.header('etag')]).toEqual([200, head.header('etag')])
      expect((await compileOf(body))?.content.toString()).toBe(
        script.replace('https://lang-jvm.s3.amazonaws.com', `${larder.url}/repository/lang-jvm`),
      )
      expect((await get(at(`${path}?original`))).body.equals(archive)).toBe(true)
    }
    const unchanged = await get(at(path), { headers: { 'If-None-Match': head.header('etag') ?? '' } })
    expect(unchanged.status).toBe(304)
    expect(asked(internet)).toEqual([
      `HEAD github.com${path}`,
      `GET github.com${path}`,
      `HEAD codeload.github.com${made}`,
      `GET codeload.github.com${made}`,
    ])
  })

  it.each(['', '?original'])(
    'U3: one cut in the middle is fetched again from its start, and goes on: %s',
    async (form) => {
      const { internet, at } = await start()
      const codeload = internet.host('codeload.github.com')
      codeload.heal()
      codeload.plan(made, { framing: 'chunked', cut: 150_000 }, 1)
      codeload.plan(made, { framing: 'chunked' })
      const { status, body, ended } = await get(at(`${path}${form}`))
      expect([status, ended]).toEqual([200, 'end'])
      if (form !== '') expect(body.equals(archive)).toBe(true)
      else expect((await membersOf(body)).at(-1)?.content).toHaveLength(300_000)
      expect(codeload.requests.map(({ headers }) => headers.range)).toEqual([undefined, undefined])
      expect(internet.host('github.com').count(path)).toBe(2)
    },
  )

  it('C7: one that is another when it is fetched again is reset, and not kept', async () => {
    const { internet, at } = await start()
    const codeload = internet.host('codeload.github.com')
    codeload.heal()
    codeload.plan(made, { framing: 'chunked', cut: 150_000 }, 1)
    const gate = codeload.hold(made, -1, { framing: 'chunked' })
    const answer = get(at(`${path}?original`))
    await gate.reached
    codeload.put(made, noise(400_000), { etag: 'W/"another"', lastModified: false, ranges: false })
    gate.letGo()
    expect((await answer).ended).toBe('broken')
    codeload.heal()
    codeload.plan(made, { framing: 'chunked' })
    const again = await get(at(`${path}?original`))
    expect([again.status, again.body.length]).toEqual([200, 400_000])
  })

  it('a release asset is fetched once; the URL it was redirected to, which is signed for minutes, is not kept', async () => {
    const { internet, at } = await start()
    for (const cacheStatus of ['fwd=uri-miss; stored', 'hit']) {
      const answer = await get(at(asset))
      expect([answer.status, answer.body.length, answer.header('content-length')]).toEqual([200, 300_000, '300000'])
      expect(answer.header('cache-status')).toContain(cacheStatus)
      await expect.poll(async () => (await get(at(asset), { method: 'HEAD' })).header('cache-status')).toContain('hit')
    }
    expect(internet.host('github.com').count(asset)).toBe(1)
  })

  it('C4: HEAD of a release asset whose store lets nobody ask by HEAD finds its length by a byte', async () => {
    const { internet, at } = await start()
    const store = internet.host('release-assets.githubusercontent.com')
    store.plan('*', { refuseHead: 403 })
    const answer = await get(at(asset), { method: 'HEAD' })
    expect([answer.status, answer.header('content-length')]).toEqual([200, '300000'])
    expect(store.requests.map(({ method, headers }) => [method, headers.range])).toEqual([
      ['HEAD', undefined],
      ['GET', 'bytes=0-0'],
    ])
  })

  it('U3: a release asset cut in the middle is taken up there, by a URL signed anew', async () => {
    const { internet, at } = await start()
    const store = internet.host('release-assets.githubusercontent.com')
    store.plan('*', { cut: 100_000 }, 1)
    const { body, ended } = await get(at(asset))
    expect([body.length, ended]).toEqual([300_000, 'end'])
    expect(store.requests.map(({ headers }) => [headers.range, headers['if-range']])).toEqual([
      [undefined, undefined],
      [expect.stringMatching(/^bytes=\d+-$/), '"0x8DCE1A2B3C4D5E6"'],
    ])
    expect(internet.host('github.com').count(asset)).toBe(2)
  })

  it('K4: git ls-remote of an archive fails, as herokuish expects it to; GitHub is asked once', async () => {
    const { internet, at } = await start()
    for (const _ of [1, 2]) expect((await run('git', ['ls-remote', at(path)])).code).toBe(128)
    expect(asked(internet)).toEqual([`GET github.com${path}/info/refs`])
  })

  it('C9: what GitHub does not have is an empty 404', async () => {
    const { at } = await start()
    const answer = await get(at(path.replace('v49', 'v4711')))
    expect([answer.status, answer.header('x-larder-error'), answer.body.length]).toEqual([404, 'UPSTREAM_ABSENT', 0])
  })
})
