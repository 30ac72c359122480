import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../support/stage.js'
import { larder } from './larder-command.js'

const token = 'a-token-of-twenty-characters'

async function tokenFile(content = `${token}\n`): Promise<string> {
  const file = join(await temporaryDirectory(), 'token')
  await writeFile(file, content)
  return file
}

/** What is no Larder: answers everything with this. */
async function otherServer(status: number, body: string): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('what is typed', () => {
  it.each([
    ['an unknown command', ['chek'], 'Did you mean check?'],
    ['an unknown option', ['ls', 'raw', '--nope'], '--nope'],
    ['no artifact', ['stat'], 'repository/path'],
    ['a repository for an artifact', ['stat', 'raw'], 'which artifacts of raw'],
    ['a whole repository without --all', ['purge', 'raw'], 'which artifacts of raw'],
    ['--all with a path', ['purge', '--all', 'raw/a'], '--all means the whole repository'],
    ['two meanings', ['purge', '--glob', '--prefix', 'raw/a'], 'one of --prefix, --glob and --all'],
    ['too much', ['stat', 'raw/a', 'raw/b'], 'too many arguments'],
    ['a limit that is none', ['ls', '--limit', '0'], 'whole number'],
    ['a rate that is none', ['verify', '--rate', '20'], '20MiB'],
    ['a server that is none', ['ls', '--server', 'larder:8080'], 'larder:8080'],
  ])('%s: exit code 2, and says what is wrong', async (_, argv, message) => {
    const { code, out, err } = await larder(argv, { LARDER_TOKEN_FILE: await tokenFile() })
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
  })

  it('--help says what there is, how it finds the server, and what the exit codes mean', async () => {
    const { code, out } = await larder(['--help'])
    expect(code).toBe(0)
    const commands = [
      'serve',
      'check',
      'env',
      'doctor',
      'ls',
      'stat',
      'explain',
      'export',
      'import',
      'purge',
      'pin',
      'unpin',
      'pins',
      'verify',
      'gc',
      'stats',
      'prewarm',
    ]
    for (const command of [...commands, 'repositories', 'block', 'unblock', 'reset-breaker']) {
      expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
      const help = await larder([command, '--help'])
      expect([help.code, help.err]).toEqual([0, ''])
      expect(help.out).toContain('Usage: larder')
    }
    for (const word of ['LARDER_SERVER', 'LARDER_TOKEN_FILE', 'Exit codes', '--glob']) expect(out).toContain(word)
  })

  it('--version', async () => {
    expect(await larder(['--version'])).toEqual({ code: 0, out: '0.0.0-test\n', err: '' })
  })
})

describe('D8: the command line goes through the API; what goes wrong on the way', () => {
  it('no server: says where it was looked for', async () => {
    const env = { LARDER_TOKEN_FILE: await tokenFile(), LARDER_PORT: '65535' }
    const { code, err } = await larder(['stats'], env)
    expect(code).toBe(1)
    expect(err).toMatch(/cannot reach http:\/\/127\.0\.0\.1:65535 \(ECONNREFUSED\)/)
  })

  it('something else listens there', async () => {
    const env = { LARDER_TOKEN_FILE: await tokenFile(), LARDER_SERVER: await otherServer(200, '<html>') }
    const { code, err } = await larder(['stats'], env)
    expect([code, err]).toEqual([1, `larder: ${env.LARDER_SERVER} answered 200, and not as a Larder does\n`])
  })

  it('no token: says where it was looked for, and how to name another', async () => {
    const data = await temporaryDirectory()
    const { code, err } = await larder(['stats'], { LARDER_DATA: data })
    expect(code).toBe(1)
    expect(err).toContain(`${join(data, 'admin-token')}: does not exist`)
    expect(err).toContain('--token-file')
  })

  it('a file that holds no token: named, not shown', async () => {
    const file = await tokenFile('SECRET but with spaces\n')
    const { code, err } = await larder(['stats', '--token-file', file])
    expect(code).toBe(1)
    expect(err).toContain(`${file}:1:1: expected a token`)
    expect(err).not.toContain('SECRET')
  })

  it('is told no: the reason, with its code', async () => {
    const problem = JSON.stringify({ code: 'REPOSITORY_UNKNOWN', detail: 'no repository or alias is named "x"' })
    const env = { LARDER_TOKEN_FILE: await tokenFile(), LARDER_SERVER: await otherServer(404, problem) }
    const { code, err } = await larder(['ls', 'x'], env)
    expect([code, err]).toEqual([1, 'larder: no repository or alias is named "x" (REPOSITORY_UNKNOWN)\n'])
  })
})
