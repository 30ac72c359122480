import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { curl, get, rawEnding, run } from '../support/http.js'
import { freePort } from '../support/redis.js'
import { find, missing, type Program, title } from '../support/servers.js'
import { noise, type Settings, selfSigned, setStage, temporaryDirectory } from '../support/stage.js'
import { textOf } from './files.js'

const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** Ports as in the files, and those they have in a test. */
type Ports = Readonly<Record<'80' | '443' | '8080' | '8443', number>>

interface Front {
  readonly name: string
  readonly needs: readonly Program[]
  /** Its configuration; `home` is a directory of its own. */
  readonly configuration: (home: string) => string
  readonly check: (file: string) => readonly string[]
  readonly serve: (file: string) => readonly string[]
}

const fronts: readonly Front[] = [
  {
    name: 'nginx',
    needs: ['nginx', streamModule],
    configuration: (home) =>
      `load_module ${streamModule};\npid ${home}/pid;\nerror_log ${home}/error.log;\ndaemon off;\nevents {}\n` +
      textOf('deploy/front/nginx-stream.conf').replaceAll(/ *listen \[::\]:\d+;\n/g, ''),
    check: (file) => ['-t', '-c', file],
    serve: (file) => ['-c', file],
  },
  {
    name: 'haproxy',
    needs: ['haproxy'],
    configuration: () => textOf('deploy/front/haproxy.cfg'),
    check: (file) => ['-c', '-f', file],
    serve: (file) => ['-db', '-f', file],
  },
]

const withPorts = (text: string, ports: Ports): string =>
  Object.entries(ports).reduce(
    (text, [from, to]) =>
      text.replaceAll(new RegExp(`(listen |bind |127\\.0\\.0\\.1|port ):?${from}\\b`, 'g'), (_, before) =>
        before.startsWith('127') ? `${before}:${to}` : before === 'port ' ? `port ${to}` : `${before}127.0.0.1:${to}`,
      ),
    text,
  )

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.end()
  })

/** Runs a front for as long as the test runs. */
async function startFront(front: Front, ports: Ports): Promise<void> {
  const home = await temporaryDirectory()
  const file = join(home, 'front.conf')
  await writeFile(file, withPorts(front.configuration(home), ports))
  const child: ChildProcess = spawn(find(front.name) ?? '', front.serve(file), { stdio: 'ignore' })
  const gone = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await gone
  })
  await vi.waitFor(async () => expect(await accepts(ports[80])).toBe(true), { timeout: 30_000 })
}

/** For a configuration that has its ports already. */
const unusedPorts: Ports = { 80: 0, 443: 0, 8080: 0, 8443: 0 }

/** Failures are told at once. */
const impatient: Settings = { retry: { attempts: 1, budget: '1s', resumes: 1 } }

describe.skipIf(missing('haproxy').length > 0)(title('haproxy-replicas.cfg', 'haproxy'), () => {
  const text = textOf('deploy/front/haproxy-replicas.cfg')
  const haproxy = fronts.find(({ name }) => name === 'haproxy') as Front

  it('is taken as it stands, before any replica has an address', async () => {
    const file = join(await temporaryDirectory(), 'front.conf')
    await writeFile(file, text)
    const { code, stderr } = await run(find('haproxy') ?? '', haproxy.check(file))
    expect(code, stderr).toBe(0)
  })

  it('leads nobody to a replica that is gone', async () => {
    const { origin, larder } = await setStage(impatient)
    const port = await freePort()
    const [gone, unknown] = [await freePort(), 'larder-3:8080']
    const places = [`127.0.0.1:${gone}`, `127.0.0.1:${portOf(larder.url)}`, unknown]
    const configuration = places
      .reduce((text, place, i) => text.replace(`larder-${i + 1}:8080`, place), text)
      .replace('bind :8080', `bind 127.0.0.1:${port}`)
    await startFront({ ...haproxy, configuration: () => configuration }, { ...unusedPorts, 80: port })
    const body = origin.put('/a', noise(100_000))
    for (let i = 0; i < 6; i += 1) {
      const received = await get(`http://127.0.0.1:${port}/repository/raw/a`)
      expect(received.body.equals(body)).toBe(true)
    }
  })
})

describe.each(fronts)('$name', (front) => {
  const needs: Program[] = ['curl', 'openssl', ...front.needs]

  describe.skipIf(missing(...needs).length > 0)(title('as a layer-4 front', ...needs), () => {
    async function inFront() {
      const identity = await selfSigned(await temporaryDirectory(), front.name)
      const env = { LARDER_TLS_CERT: identity.cert, LARDER_TLS_KEY: identity.key }
      const stage = await setStage(impatient, env)
      const [http, https] = [await freePort(), await freePort()]
      const { larder } = stage
      await startFront(front, { 80: http, 443: https, 8080: portOf(larder.url), 8443: portOf(larder.httpsUrl) })
      return { ...stage, ca: identity.cert, http: `http://127.0.0.1:${http}`, https: `https://127.0.0.1:${https}` }
    }

    it('takes the configuration as it stands', async () => {
      const home = await temporaryDirectory()
      const file = join(home, 'front.conf')
      await writeFile(file, front.configuration(home))
      const { code, stderr } = await run(find(front.name) ?? '', front.check(file))
      expect(code, stderr).toBe(0)
    })

    it('passes requests on, under TLS as well', async () => {
      const { origin, ca, http, https } = await inFront()
      const body = origin.put('/a', noise(1_000_000))
      const plain = await get(`${http}/repository/raw/a`)
      const secure = await curl('--cacert', ca, `${https}/repository/raw/a`)
      expect([plain.body.equals(body), secure.code, secure.stdout.equals(body)]).toEqual([true, 0, true])
    })

    it('C7: makes an ordinary end of the reset, so that only clients who count see a body that breaks off', async () => {
      const { origin, ca, http, https } = await inFront()
      origin.put('/a', noise(1_000_000), { etag: false, lastModified: false, ranges: false })
      origin.plan('/a', { cut: 500_000 })
      expect(await rawEnding(`${http}/repository/raw/a`)).toBe('fin')
      const plain = await curl(`${http}/repository/raw/a`)
      const secure = await curl('--cacert', ca, `${https}/repository/raw/a`)
      expect([plain.code, secure.code]).toEqual([18, expect.toBeOneOf([18, 56])])
    })
  })
})

const portOf = (url: string): number => Number(new URL(url).port)
