import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { curl, get, type Run, run, wget } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { closeStage, noise, openStage, type Stage, temporaryDirectory } from '../support/stage.js'

const body = noise(300_000)
const size = body.length
const has = 1000

/** What a program is to do with a URL, and what is to come of it. `directory` holds `part` and `whole`. */
interface Form {
  readonly name: string
  readonly ask: (url: string, directory: string) => Promise<unknown>
  readonly expected: unknown
}

const status = ['-w', '%{stderr}%{http_code}']
const answered = async (asked: Promise<Run>): Promise<unknown> => {
  const { code, stdout, stderr } = await asked
  return { code, status: stderr, body: stdout.equals(body) ? 'all' : stdout.toString('latin1') }
}
const bytes = (start: number, end?: number): string => body.subarray(start, end).toString('latin1')
const range = (spec: string, from: number, to?: number): Form => ({
  name: `C5: curl -r ${spec}`,
  ask: (url) => answered(curl('-r', spec, ...status, url)),
  expected: { code: 0, status: '206', body: bytes(from, to) },
})
const resumed = async (asked: Promise<Run>, file: string): Promise<unknown> => {
  const { code } = await asked
  return { code, same: (await readFile(file)).equals(body) }
}

const forms: Form[] = [
  {
    name: 'C2: curl gets the bytes',
    ask: (url) => answered(curl('-f', ...status, url)),
    expected: { code: 0, status: '200', body: 'all' },
  },
  {
    name: 'C3 C4: curl -I sees ETag in that spelling, and the length',
    ask: async (url) => {
      const { stdout } = await curl('--head', '--fail', url)
      return stdout
        .toString()
        .split('\r\n')
        .filter((line) => /^(HTTP|etag|content-length|last-modified|accept-ranges|x-amz-request-id)/i.test(line))
        .sort()
    },
    expected: [
      'Accept-Ranges: bytes',
      `Content-Length: ${size}`,
      'ETag: "the-version"',
      'HTTP/1.1 200 OK',
      'Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT',
      'x-amz-request-id: TX0000000000000000001',
    ],
  },
  range('0-99', 0, 100),
  range('0-0', 0, 1),
  range('250000-', 250_000),
  range('-50', size - 50),
  range(`${size - 1}-${size + 1000}`, size - 1),
  {
    name: 'C5: curl -r 0-0,10-19 is multipart/byteranges',
    ask: async (url) => {
      const { code, stdout, stderr } = await curl('-r', '0-0,10-19', '-w', '%{stderr}%{http_code} %{content_type}', url)
      const text = stdout.toString('latin1')
      return {
        code,
        kind: stderr.split(';')[0],
        ranges: [...text.matchAll(/Content-Range: ([^\r]*)\r\n(?:[^\r]+\r\n)*\r\n(.*?)\r\n--/gis)].map(
          ([, at, part]) => [at, part],
        ),
      }
    },
    expected: {
      code: 0,
      kind: '206 multipart/byteranges',
      ranges: [
        [`bytes 0-0/${size}`, bytes(0, 1)],
        [`bytes 10-19/${size}`, bytes(10, 20)],
      ],
    },
  },
  {
    name: 'C5: curl -r past the end is 416 without body',
    ask: async (url) => {
      const { rawHeaders, ...rest } = await get(url, { headers: { Range: `bytes=${size}-` } })
      return [
        rest.status,
        rest.header('content-range'),
        rest.body.length,
        await answered(curl('-r', `${size}-`, ...status, url)),
      ]
    },
    expected: [416, `bytes */${size}`, 0, { code: 0, status: '416', body: '' }],
  },
  {
    name: 'C5: curl -C - goes on where it was',
    ask: (url, directory) =>
      resumed(curl('-f', '-C', '-', '-o', join(directory, 'part'), url), join(directory, 'part')),
    expected: { code: 0, same: true },
  },
  {
    name: 'C5: curl -C - with the whole file leaves it alone',
    ask: async (url, directory) => {
      const asked = curl('-C', '-', ...status, '-o', join(directory, 'whole'), url)
      return { ...((await resumed(asked, join(directory, 'whole'))) as object), status: (await asked).stderr.slice(-3) }
    },
    expected: { code: 0, same: true, status: '416' },
  },
  {
    name: 'C5: wget -c goes on where it was',
    ask: (url, directory) => resumed(wget(['-c', '-O', 'part', url], directory), join(directory, 'part')),
    expected: { code: 0, same: true },
  },
  {
    name: 'C5: wget -c with the whole file leaves it alone',
    ask: (url, directory) => resumed(wget(['-c', '-O', 'whole', url], directory), join(directory, 'whole')),
    expected: { code: 0, same: true },
  },
  {
    name: 'C5: curl -z, not newer',
    ask: (url) => answered(curl('-z', 'Mon, 01 Jan 2024 00:00:00 GMT', ...status, url)),
    expected: { code: 0, status: '304', body: '' },
  },
  {
    name: 'C5: curl -z, newer',
    ask: (url) => answered(curl('-z', 'Sun, 31 Dec 2023 00:00:00 GMT', ...status, url)),
    expected: { code: 0, status: '200', body: 'all' },
  },
  {
    name: 'C5: curl --etag-compare',
    ask: (url, directory) => answered(curl('--etag-compare', join(directory, 'etag'), ...status, url)),
    expected: { code: 0, status: '304', body: '' },
  },
]

const named = forms.map((form): [string, Form] => [form.name, form])
const path = (form: Form): string => `/form-${forms.indexOf(form)}.bin`
const tools = ['curl', 'wget'] as const

describe.skipIf(missing(...tools).length > 0)(title('curl and wget', ...tools), () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage()
    for (const form of forms) stage.origin.put(path(form), body, { etag: '"the-version"' })
  })
  afterAll(() => closeStage(stage))

  const ask = async (form: Form): Promise<unknown> => {
    const directory = join(await temporaryDirectory(), 'files')
    await mkdir(directory)
    await writeFile(join(directory, 'part'), body.subarray(0, has))
    await writeFile(join(directory, 'whole'), body)
    await writeFile(join(directory, 'etag'), '"the-version"\n')
    return form.ask(stage.url(path(form)), directory)
  }

  // In this order: each state is the one the state before left behind.
  it.each(named)('%s, cold: one remote request', async (_, form) => {
    expect(await ask(form)).toEqual(form.expected)
    expect(stage.origin.requests.filter(({ url }) => url === path(form))).toHaveLength(1)
  })

  it.each(named)('%s, warm: no remote request', async (_, form) => {
    expect((await get(stage.url(path(form)))).body.equals(body)).toBe(true)
    const before = stage.origin.requests.length
    expect(await ask(form)).toEqual(form.expected)
    expect(stage.origin.requests).toHaveLength(before)
    expect(stage.origin.count(path(form), 'GET')).toBe(1)
  })

  it.each(named)('%s, the remote stopped', async (_, form) => {
    await stage.origin.stop()
    expect(await ask(form)).toEqual(form.expected)
  })

  it('O1: ends with exit code 0 and starts again on the same data', async () => {
    expect(await stage.larder.restart()).toEqual({ code: 0, signal: null })
  })

  it.each(named)('D2: %s, restarted, the remote still stopped', async (_, form) => {
    expect(await ask(form)).toEqual(form.expected)
  })
})

describe.skipIf(missing('git').length > 0)(title('git', 'git'), () => {
  let stage: Stage
  const archive = noise(20_000)
  const refs = noise(5000)
  const lsRemote = (name: string) => run('git', ['ls-remote', stage.url(name)])
  beforeAll(async () => {
    stage = await openStage()
    stage.origin.put('/plain.tgz', archive)
    stage.origin.put('/both.tgz', archive)
    stage.origin.put('/both.tgz/info/refs', refs)
  })
  afterAll(() => closeStage(stage))

  const infoRefs = '/plain.tgz/info/refs?service=git-upload-pack'

  it.each(['cold', 'warm'])(
    'C9 K4: git ls-remote URL.tgz gets an empty 404, %s: one remote request for it',
    async () => {
      const { code, stdout, stderr } = await lsRemote('/plain.tgz')
      expect({ code, out: stdout.toString() }).toEqual({ code: 128, out: '' })
      expect(stderr).toContain('not found')
      expect(await get(stage.url(infoRefs))).toMatchObject({ status: 404, body: Buffer.alloc(0) })
      expect(stage.origin.requests.filter(({ url }) => url === infoRefs)).toHaveLength(1)
    },
  )

  it('C9: the archive that ls-remote asked about is served all the same, and the 404 again', async () => {
    expect((await get(stage.url('/plain.tgz'))).body.equals(archive)).toBe(true)
    await lsRemote('/plain.tgz')
    expect((await get(stage.url('/plain.tgz'))).body.equals(archive)).toBe(true)
    expect(stage.origin.count('/plain.tgz')).toBe(1)
  })

  it('C11: x.tgz and x.tgz/info/refs are both cached, whichever comes first, and stay', async () => {
    const check = async () => {
      expect((await get(stage.url('/both.tgz'))).body.equals(archive)).toBe(true)
      expect((await get(stage.url('/both.tgz/info/refs'))).body.equals(refs)).toBe(true)
    }
    await check()
    await check()
    expect([stage.origin.count('/both.tgz'), stage.origin.count('/both.tgz/info/refs')]).toEqual([1, 1])
    await stage.origin.stop()
    await stage.larder.restart()
    await check()
  })
})
