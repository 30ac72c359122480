import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bash, curl, get } from '../support/http.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import { filesUnder, noise, selfSigned, temporaryDirectory, until } from '../support/stage.js'
import { audit } from '../support/store-audit.js'

const token = 'a-token-that-may-write'
const user = `ci:${token}`
const mebibyte = 1024 * 1024

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A server with a hosted repository `own`, and a file to upload. */
async function host(env: Readonly<Record<string, string>> = {}, settings: object = {}) {
  const directory = await temporaryDirectory()
  const tokens = join(directory, 'write')
  await writeFile(tokens, `ci: ${token}\n`)
  const larder = await startLarder({
    config: JSON.stringify({ repositories: { own: { type: 'hosted', ...settings } } }),
    env: { LARDER_WRITE_TOKENS_FILE: tokens, ...env },
  })
  onTestFinished(() => larder.dispose())
  const body = noise(3 * mebibyte)
  const file = join(directory, 'openjdk17.tar.gz')
  await writeFile(file, body)
  return { larder, directory, file, body, url: urlOf(larder.url) }
}

const urlOf = (base: string) => (path: string) => `${base}/repository/own/${path}`

const staged = ({ data }: LarderProcess) => filesUnder(join(data, 'staging'))

/** What curl says of itself, in the order asked for. */
async function told(format: string, ...args: string[]): Promise<string> {
  const { stdout } = await curl('-o', '/dev/null', '-w', format, ...args)
  return stdout.toString()
}

describe('H1: uploads by curl', () => {
  it('-T, -u and a checksum: there for all, and after a restart', async () => {
    const { larder, file, body, url } = await host()
    const to = url('jdk/openjdk17.tar.gz')
    expect(await told('%{http_code} %header{etag}', '-u', user, '-T', file, to)).toBe(`201 "${sha256(body)}"`)
    const checked = ['-H', `X-Checksum-Sha256: ${sha256(body)}`]
    expect(await told('%{http_code}', '-u', user, ...checked, '-T', file, to)).toBe('204')
    await larder.restart()
    const { stdout } = await curl('-f', urlOf(larder.url)('jdk/openjdk17.tar.gz'))
    expect(stdout.equals(body)).toBe(true)
  })

  it('chunked, from standard input', async () => {
    const { directory, file, body, url } = await host()
    const { stdout } = await bash(`cat ${file} | curl -sS -w '%{http_code}' -u ${user} -T - ${url('a.tgz')}`, directory)
    expect(stdout.toString()).toBe('201')
    expect((await get(url('a.tgz'))).body.equals(body)).toBe(true)
  })

  it('over TLS', async () => {
    const { cert, key } = await selfSigned(await temporaryDirectory(), 'larder')
    const { larder, file, body } = await host({ LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key })
    const to = urlOf(larder.httpsUrl)('a.tgz')
    expect(await told('%{http_code}', '--cacert', cert, '-u', user, '-T', file, to)).toBe('201')
    const { stdout } = await curl('--cacert', cert, to)
    expect(stdout.equals(body)).toBe(true)
  })

  it('-X PUT, the file forgotten: refused', async () => {
    const { url } = await host()
    expect(await told('%{http_code} %header{x-larder-error}', '-u', user, '-X', 'PUT', url('a.tgz'))).toBe(
      '400 REQUEST_INVALID',
    )
    expect(await told('%{http_code}', '-u', user, '-T', '/dev/null', url('empty'))).toBe('201')
    expect(await told('%{http_code} %{size_download}', url('empty'))).toBe('200 0')
  })

  it('-X DELETE', async () => {
    const { file, url } = await host()
    await curl('-u', user, '-T', file, url('a.tgz'))
    expect(await told('%{http_code}', '-u', user, '-X', 'DELETE', url('a.tgz'))).toBe('204')
    expect(await told('%{http_code}', '-u', user, '-X', 'DELETE', url('a.tgz'))).toBe('404')
    expect(await told('%{http_code}', url('a.tgz'))).toBe('404')
  })

  it.each<[string, readonly string[], string]>([
    ['without a token', [], '401'],
    [
      'other bytes than are there, as their checksum tells',
      ['-u', user, '-H', `X-Checksum-Sha256: ${'0'.repeat(64)}`],
      '409',
    ],
    ['where nothing may be', ['-u', user, '-H', 'If-None-Match: *'], '412'],
    ['a checksum that can not be checked', ['-u', user, '-H', `X-Checksum-Sha1: ${'0'.repeat(40)}`], '400'],
  ])('Expect: 100-continue: %s, it is refused before a byte of the body is sent', async (_, args, status) => {
    const { file, url } = await host()
    await curl('-u', user, '-T', file, url('a.tgz'))
    const waiting = ['-H', 'Expect: 100-continue', '--expect100-timeout', '60']
    expect(await told('%{http_code} %{size_upload}', ...waiting, ...args, '-T', file, url('a.tgz'))).toBe(`${status} 0`)
  })

  it('Expect: 100-continue: what is admitted is told to go on', async () => {
    const { file, body, url } = await host()
    const waiting = ['-H', 'Expect: 100-continue', '--expect100-timeout', '60', '-u', user]
    expect(await told('%{http_code} %{size_upload}', ...waiting, '-T', file, url('a.tgz'))).toBe(`201 ${body.length}`)
  })

  it('over the cap: 507 before a byte is sent', async () => {
    const { file, url } = await host({}, { maxSize: '1MiB' })
    const waiting = ['-H', 'Expect: 100-continue', '--expect100-timeout', '60', '-u', user]
    expect(await told('%{http_code} %{size_upload}', ...waiting, '-T', file, url('a.tgz'))).toBe('507 0')
  })
})

describe('H3: an upload that breaks off leaves nothing', () => {
  it.each([
    ['with its length', ['-H', `Content-Length: ${3 * mebibyte}`, '-H', 'Transfer-Encoding:']],
    ['in chunks', []],
  ])('curl is killed in the middle, %s', async (_, args) => {
    const { larder, body, url } = await host()
    const child = spawn('curl', ['-q', '-sS', '-u', user, ...args, '-T', '-', url('a.tgz')], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    child.stdin.on('error', () => {})
    child.stdin.write(body.subarray(0, mebibyte))
    await until(async () => (await staged(larder)).length > 0, 'a part of it is here')
    child.kill('SIGKILL')
    await until(async () => (await staged(larder)).length === 0, 'the part is gone')
    expect((await get(url('a.tgz'))).status).toBe(404)
    await larder.log((line) => line.audit === true && line.result === 'broken-off')
  })
})

/** Sends so much of a body and waits until the server has it in its staging; `rest` sends what is left. */
async function halfway(larder: LarderProcess, to: string, body: Buffer, part: number) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Length': body.length }
  const request = httpRequest(to, { method: 'PUT', headers, agent: false })
  const answer = new Promise<number | undefined>((resolve) => {
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', () => resolve(undefined))
  })
  request.write(body.subarray(0, part))
  await until(async () => (await staged(larder)).length > 0, 'a part of it is here')
  return { answer, rest: () => request.end(body.subarray(part)) }
}

describe('D2 H2: after kill -9', () => {
  it('in the middle of an upload: nothing of it, and what was whole is there', async () => {
    const { larder, file, body, url } = await host()
    await curl('-u', user, '-T', file, url('kept.tgz'))
    const { answer } = await halfway(larder, url('cut.tgz'), noise(4 * mebibyte), 2 * mebibyte)
    await larder.kill()
    expect(await answer).toBeUndefined()
    await larder.start()
    expect(await staged(larder)).toEqual([])
    expect((await get(urlOf(larder.url)('cut.tgz'))).status).toBe(404)
    expect((await get(urlOf(larder.url)('kept.tgz'))).body.equals(body)).toBe(true)
  })

  it('at any instant about its end: all of it, where that was said, or else all or nothing', async () => {
    const { larder } = await host()
    let whole = 0
    for (let round = 0; round < 8; round += 1) {
      const body = noise(mebibyte + round)
      const path = `${round}.tgz`
      const { answer, rest } = await halfway(larder, urlOf(larder.url)(path), body, mebibyte / 2)
      rest()
      // Ever later, from before its last byte is read on.
      const isLast = round === 7
      if (isLast) await answer
      else for (let turns = 0; turns < round * 40; turns += 1) await new Promise(setImmediate)
      await larder.kill()
      const said = await answer
      expect((await audit(larder.data, new Set())).faults).toEqual([])
      await larder.start()
      const { status, body: served } = await get(urlOf(larder.url)(path))
      if (said === 201) expect(status).toBe(200)
      expect([200, 404]).toContain(status)
      if (status === 200) {
        expect(served.equals(body)).toBe(true)
        whole += 1
      }
    }
    expect(whole).toBeGreaterThan(0)
  })
})

describe('O1: SIGTERM', () => {
  it('lets an upload come to its end', async () => {
    const { larder, body, url } = await host()
    const { answer, rest } = await halfway(larder, url('a.tgz'), body, mebibyte)
    larder.signal('SIGTERM')
    await larder.log(({ msg }) => msg === 'stopping')
    rest()
    expect(await answer).toBe(201)
    expect(await larder.exited()).toEqual({ code: 0, signal: null })
    await larder.start()
    expect((await get(urlOf(larder.url)('a.tgz'))).body.equals(body)).toBe(true)
  })
})

it('O3: no token is in a log, of the process or of access', async () => {
  const { larder, file, url } = await host()
  await curl('-u', user, '-T', file, url('a.tgz'))
  await curl('-u', 'ci:a-guess-that-is-wrong', '-T', file, url('b.tgz'))
  await larder.stop()
  const logs = JSON.stringify(larder.logs) + (await readFile(larder.accessLogFile, 'utf8'))
  expect(logs).toContain('"PUT"')
  expect(logs).not.toMatch(/a-token-that-may-write|a-guess-that-is-wrong/)
})
