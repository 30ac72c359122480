import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { bash, curl, get, run } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { noise, setStage, temporaryDirectory } from '../support/stage.js'

const content = noise(100_000)

/** A tarball of one file, `bin/java`. */
async function tarball(compression: '--gzip' | '--zstd'): Promise<Buffer> {
  const directory = await temporaryDirectory()
  await mkdir(join(directory, 'bin'))
  await writeFile(join(directory, 'bin/java'), content)
  const { code, stdout, stderr } = await run('tar', [compression, '-cf', '-', 'bin'], directory)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

/** Runs a line of a buildpack where it may unpack; whether it went well and the file is there. */
async function build(script: string): Promise<{ code: number; unpacked: boolean; stderr: string; stdout: string }> {
  const directory = await temporaryDirectory()
  const { code, stdout, stderr } = await bash(script, directory)
  const file = await readFile(join(directory, 'bin/java')).catch(() => Buffer.alloc(0))
  return { code, unpacked: file.equals(content), stderr, stdout: stdout.toString() }
}

describe.skipIf(missing('curl').length > 0)(title('what buildpacks run', 'curl'), () => {
  const gradle36 = (url: string) => `curl --retry 3 --silent --location ${url} | tar xzm`

  it('U2: gradle v36 does not notice that the remote answers 503 once', async () => {
    const { origin, url } = await setStage()
    origin.put('/jvm.tgz', await tarball('--gzip'))
    origin.plan('/jvm.tgz', { status: 503 }, 1)
    expect(await build(gradle36(url('/jvm.tgz')))).toMatchObject({ code: 0, unpacked: true })
    expect(origin.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /jvm.tgz', 'GET /jvm.tgz'])
  })

  it.each([
    ['503', 503],
    ['500', 500],
  ])('C9: gradle v36 recovers by its own retry from an empty answer to %s', async (_, status) => {
    const { origin, url } = await setStage({ retry: { attempts: 1, budget: '2s', resumes: 0 } })
    origin.put('/jvm.tgz', await tarball('--gzip'))
    origin.plan('/jvm.tgz', { status }, 1)
    expect(await build(gradle36(url('/jvm.tgz')))).toMatchObject({ code: 0, unpacked: true })
    expect(origin.count('/jvm.tgz')).toBe(2)
  })

  it('gradle v36 sources stdlib.sh', async () => {
    const { origin, url } = await setStage()
    origin.put('/buildpack-stdlib/v7/stdlib.sh', 'puts_step() { echo "-----> $1"; }\n')
    const source = `source <(curl --retry 3 -fsSL ${url('/buildpack-stdlib/v7/stdlib.sh')}); puts_step works`
    expect(await build(source)).toMatchObject({ code: 0, stdout: '-----> works\n' })
    expect(origin.requests).toHaveLength(1)
  })

  it('C4: jvm-common v120 asks with HEAD on a cold key, finds ETag in that spelling, then unpacks', async () => {
    const { origin, url } = await setStage()
    origin.put('/jdk/zulu-17.tar.gz', await tarball('--gzip'))
    const script = `
      curl --retry 3 --silent --head -w %{http_code} -L ${url('/jdk/zulu-17.tar.gz')} > head
      tail -c 3 head && grep -o '^ETag: "' head && grep -c '^Content-Length: [1-9]' head
      curl --retry 3 --silent --show-error --location ${url('/jdk/zulu-17.tar.gz')} | tar xz`
    expect(await build(script)).toMatchObject({ code: 0, unpacked: true, stdout: '200ETag: "\n1\n' })
    expect(origin.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
  })

  it('gradle v49 gets a JDK while it comes in', async () => {
    const { origin, url } = await setStage()
    origin.put('/jdk.tar.gz', await tarball('--gzip'))
    const flags = '--connect-timeout 3 --max-time 60 --retry 5 --retry-connrefused --fail --location'
    expect(await build(`curl ${flags} ${url('/jdk.tar.gz')} | tar xz`)).toMatchObject({ code: 0, unpacked: true })
    expect(origin.requests).toHaveLength(1)
  })

  it.each([
    ['relative', ''],
    ['absolute', 'origin'],
  ])('C8: the bytes behind a redirect come at once, %s', async (_, base) => {
    const { origin, url } = await setStage()
    const body = origin.put('/elsewhere.tgz', await tarball('--gzip'))
    origin.plan('/moved.tgz', { redirectTo: `${base === '' ? '' : origin.url}/elsewhere.tgz` })
    const answer = await get(url('/moved.tgz'))
    expect([answer.status, answer.header('location'), answer.body.equals(body)]).toEqual([200, undefined, true])
    await get(url('/moved.tgz'))
    expect([origin.count('/moved.tgz'), origin.count('/elsewhere.tgz')]).toEqual([1, 1])
  })

  it.each([['/a%2Fb%2Bc.tar'], ['/a/b+c.tar'], ['/a%20b.tar'], ['/a/b%2Bc.tar?x=%2B&y=+']])(
    'C10: php asks for the head of %s, and that is what the remote sees',
    async (path) => {
      const { origin, url } = await setStage()
      origin.put(path, noise(10))
      const { code, stdout } = await curl('-I', '--fail', url(path))
      expect([code, stdout.toString().split('\r\n')[0]]).toEqual([0, 'HTTP/1.1 200 OK'])
      expect(origin.requests.map((request) => request.url)).toEqual([path])
    },
  )

  it('C10: %2B, +, %20 and %2F spellings are keys of their own', async () => {
    const { origin, url } = await setStage()
    const paths = ['/d/a%2Bb', '/d/a+b', '/d/a%20b', '/d%2Fa+b']
    for (const path of paths) origin.put(path, path)
    for (const path of [...paths, ...paths]) expect((await get(url(path))).body.toString()).toBe(path)
    expect(origin.requests.map(({ url }) => url)).toEqual(paths)
  })

  it('U1: nvm asks with --compressed; the remote is asked for identity, and the bytes are untouched', async () => {
    const { origin, url } = await setStage()
    const body = origin.put('/node.tar.gz', await tarball('--gzip'))
    const { code, stdout } = await curl('-C', '-', '--compressed', '-o', '-', url('/node.tar.gz'))
    expect([code, stdout.equals(body)]).toEqual([0, true])
    expect(origin.requests.map(({ headers }) => headers['accept-encoding'])).toEqual(['identity'])
  })

  it('C2: an object stored with Content-Encoding: gzip goes through as it is, cold and warm', async () => {
    const { origin, url } = await setStage()
    const body = origin.put('/index.json', gzipSync('{"versions":[]}'), { headers: { 'Content-Encoding': 'gzip' } })
    for (const state of ['cold', 'warm']) {
      const { stdout } = await curl(url('/index.json'))
      const decoded = await curl('--compressed', url('/index.json'))
      expect([state, stdout.equals(body), decoded.stdout.toString()]).toEqual([state, true, '{"versions":[]}'])
    }
    expect(origin.requests).toHaveLength(1)
  })

  it('ruby and node ask with --head --fail, then GET', async () => {
    const { origin, url } = await setStage()
    origin.put('/ruby.tgz', await tarball('--gzip'))
    const script = `curl --head --fail ${url('/ruby.tgz')} > /dev/null && curl --fail --max-time 30 ${url('/ruby.tgz')} | tar xz`
    expect(await build(script)).toMatchObject({ code: 0, unpacked: true })
    expect(origin.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
  })

  it.each([
    [404, 404],
    [410, 410],
    [403, 403],
    [401, 502],
    [429, 503],
    [500, 502],
    [503, 503],
  ])('C9: %i of the remote is an empty %i', async (remote, status) => {
    const { origin, url } = await setStage({ retry: { attempts: 1, budget: '1s', resumes: 0 } })
    origin.plan('/x.tgz', { status: remote })
    const answer = await get(url('/x.tgz'))
    expect([answer.status, answer.body.toString(), answer.header('content-length')]).toEqual([status, '', '0'])
    expect(origin.count('/x.tgz')).toBe(1)
  })
})

describe.skipIf(missing('curl', 'zstd').length > 0)(title('what the python buildpack runs', 'curl', 'zstd'), () => {
  it('unpacks zstd behind a redirect that curl would not follow', async () => {
    const { origin, url } = await setStage()
    origin.put('/python.tar.zst', await tarball('--zstd'))
    origin.plan('/latest.tar.zst', { redirectTo: '/python.tar.zst' })
    const script = `curl --fail --max-time 60 --retry 5 ${url('/latest.tar.zst')} | tar --zstd -x`
    expect(await build(script)).toMatchObject({ code: 0, unpacked: true })
    expect(origin.requests.map(({ url }) => url)).toEqual(['/latest.tar.zst', '/python.tar.zst'])
  })
})
