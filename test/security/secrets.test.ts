import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { get } from '../support/http.js'
import { raw } from '../support/in-process.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import { someOrigin } from '../support/served.js'
import { temporaryDirectory } from '../support/stage.js'
import { listen } from '../upstream/servers.js'

/** All secrets hold this, so that one search finds any, and any part of it. */
const mark = 'hUsH'
const secret = (name: string) => `${mark}-${name}-of-some-length`
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** One that knows no password it is told. */
const refusingRedis = () =>
  listen(
    createServer((socket) =>
      socket.on('error', () => {}).on('data', () => socket.write('-WRONGPASS no such pair\r\n')),
    ),
  )

async function tokens() {
  const directory = await temporaryDirectory()
  const files = { LARDER_READ_TOKENS_FILE: join(directory, 'read'), LARDER_ADMIN_TOKEN_FILE: join(directory, 'admin') }
  await writeFile(files.LARDER_READ_TOKENS_FILE, `ci: ${secret('read')}\n`)
  await writeFile(files.LARDER_ADMIN_TOKEN_FILE, `ops: ${secret('admin')}\n`)
  return files
}

/** What clients may hold, sent in every way that goes wrong, and right. */
async function provoke(larder: LarderProcess, repositories: readonly string[]): Promise<string[]> {
  const told: string[] = []
  const authorizations = [
    `Bearer ${secret('read')}`,
    `Basic ${base64(`me:${secret('read')}`)}`,
    `Bearer ${secret('admin')}`,
    `Bearer ${secret('wrong')}`,
    `Digest ${secret('wrong')}`,
  ]
  const paths = ['/whole', '/missing', '/500', '/away', '/%2e%2e', '/cut']
  const ask = async (url: string, headers: Readonly<Record<string, string>>, method = 'GET') => {
    const { rawHeaders, body } = await get(url, { headers, method })
    told.push(rawHeaders.join('\n'), body.toString())
  }
  for (const Authorization of authorizations) {
    const headers = {
      Authorization,
      Cookie: secret('cookie'),
      Accept: 'application/problem+json',
      'X-Request-Id': `"${mark}`,
    }
    for (const name of repositories) {
      const of = (path: string) => `${larder.url}/repository/${name}${path}?X-Amz-Signature=${secret('signature')}&t`
      await Promise.all(paths.map((path) => ask(of(path), headers)))
      await ask(of('/whole'), headers, 'DELETE')
    }
    for (const view of ['repositories', 'stats', 'artifacts', 'tasks', 'nothing']) {
      await ask(`${larder.url}/api/v1/${view}?token=${secret('query')}`, headers)
    }
  }
  const line = `GET http://me:${secret('target')}@h/repository/open/whole HTTP/1.1\r\nHost: h\r\n`
  told.push(
    (await raw(larder.url, `${line}Proxy-Authorization: Basic ${secret('proxied')}\r\nConnection: close\r\n\r\n`)).text,
  )
  told.push((await raw(larder.url, `${line}X: ${secret('malformed')}\0\r\n\r\n`)).text)
  for (const path of ['/metrics', '/readyz']) await ask(larder.url + path, {})
  return told
}

describe('O3, O5, U6: the secrets of process and clients', () => {
  it('are in no answer, log, metric or argument, whatever goes wrong', async () => {
    const origin = await someOrigin()
    origin.put('/whole', 'whole')
    origin.put('/cut', 'a body that is cut')
    origin.plan('/500', { status: 500 })
    origin.plan('/cut', { cut: 5 })
    origin.plan('/away', { redirectTo: `http://127.0.0.1:1/x?X-Amz-Signature=${secret('redirect')}` })
    const tries = { retry: { attempts: 2, budget: '300ms', resumes: 1 } }
    const repositories = {
      open: { remote: origin.url, ...tries, forwardRequestHeaders: ['authorization', 'cookie'] },
      dead: { remote: 'http://127.0.0.1:1', ...tries },
      proxied: { remote: 'http://remote.test', ...tries },
      tunnelled: { remote: 'https://remote.test', ...tries },
    }
    const proxy = `http://me:${secret('egress')}@127.0.0.1:1`
    for (const redis of ['127.0.0.1:1', `127.0.0.1:${(await refusingRedis()).port}`]) {
      const env = {
        ...(await tokens()),
        ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: '127.0.0.1' },
        REDIS_URL: `redis://larder:${secret('redis')}@${redis}`,
        LARDER_LOG_LEVEL: 'trace',
      }
      const larder = await startLarder({ config: JSON.stringify({ repositories }), env })
      onTestFinished(() => larder.dispose())
      const told = await provoke(larder, Object.keys(repositories))
      const argv = await readFile(`/proc/${larder.pid}/cmdline`, 'utf8').catch(() => '')
      await larder.stop()
      const access = await larder.accessLog()
      const all = [...told, argv, JSON.stringify(larder.logs), larder.errors, JSON.stringify(access)].join('\n')
      for (const seen of ['redis does not answer', 'wrong admin token', 'UPSTREAM_UNREACHABLE'])
        expect(all).toContain(seen)
      // In base64 too, where a mark shows as one of three.
      for (const form of [mark, base64(`me:${mark}`).slice(0, 7), base64(`larder:${mark}`).slice(0, 13)]) {
        const at = all.indexOf(form)
        expect(at < 0 ? '' : all.slice(Math.max(0, at - 200), at + 100)).toBe('')
      }
      // They did go where they were meant to.
      expect(JSON.stringify(origin.requests)).toContain(secret('cookie'))
    }
  }, 120_000)
})
