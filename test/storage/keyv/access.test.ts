import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Identity, makeIdentity } from '../../config/certificates.js'
import { freePort, type RedisServer, startRedis } from '../../support/redis.js'
import { addUser, masterName } from '../../support/redis-sets.js'
import { missing, title } from '../../support/servers.js'
import { settled } from '../fixtures.js'
import { connected, hearing, refused, told } from './connected.js'

describe.skipIf(missing('redis-server').length > 0)(title('users of Redis', 'redis-server'), () => {
  let redis: RedisServer
  let hosts: string
  beforeAll(async () => {
    redis = await startRedis()
    hosts = `127.0.0.1:${redis.port}`
    await addUser([redis], 'secret-right')
    await redis.command('ACL SETUSER deaf on >secret-deaf ~larder:v1:* +@all resetchannels')
    await redis.command('ACL SETUSER default off')
  })
  afterAll(() => redis?.dispose())

  it.each([
    ['a wrong password', 'larder:secret-wrong@', 'WRONGPASS'],
    ['an unknown user', 'another:secret-right@', 'WRONGPASS'],
    ['no password', 'larder@', 'WRONGPASS'],
    ['no user', '', 'NOAUTH'],
  ])('%s: everything is an absence, told once with the reason, and no password is', async (_, login, reason) => {
    const { lines } = await refused(`redis://${login}${hosts}`)
    expect(lines.join()).toContain(reason)
    expect(lines.join()).not.toMatch(/secret-/)
  })

  it('a wrong password of a cluster is told the same', async () => {
    const { lines } = await refused(`redis-cluster://larder:secret-wrong@${hosts}`)
    expect(lines.join()).toContain('WRONGPASS')
    expect(lines.join()).not.toMatch(/secret-/)
  })

  it('a user who may not hear the channel has all the rest, and it is told once', async () => {
    const { cache, lines } = await connected(`redis://deaf:secret-deaf@${hosts}`)
    cache.onTold(() => expect.unreachable())
    const what = await settled(
      () => told(lines),
      ({ length }) => length > 0,
    )
    expect(what).toEqual(['redis does not bring the messages of the other replicas'])
    expect(await cache.lease('work', 'one', 1000)).toEqual({ mine: true })
    await cache.tell('to nobody')
    expect(cache.healthy).toBe(true)
    expect(lines.join()).not.toMatch(/secret-/)
  })
})

const programs = ['redis-server', 'openssl'] as const
describe.skipIf(missing(...programs).length > 0)(title('a Redis over TLS', ...programs), () => {
  let directory: string
  let identity: Identity
  let another: Identity
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'larder-redis-tls-'))
    identity = makeIdentity(directory, 'localhost')
    another = makeIdentity(directory, 'another')
  })
  afterAll(() => rm(directory, { recursive: true }))

  const started = async (settings: (home: string) => Promise<readonly string[]>) => {
    const server = await startRedis(settings)
    onTestFinished(() => server.dispose())
    return server
  }

  const secured = async () => {
    const port = await freePort()
    const files = [
      '--tls-cert-file',
      identity.cert,
      '--tls-key-file',
      identity.key,
      '--tls-ca-cert-file',
      identity.cert,
    ]
    return { port, settings: ['--tls-port', `${port}`, ...files, '--tls-auth-clients', 'no'] }
  }

  const single = async (host: string) => {
    const { port, settings } = await secured()
    await started(async () => settings)
    return `rediss://${host}:${port}`
  }

  const sentinels = async () => {
    const [master, watching] = [await secured(), await secured()]
    await started(async () => master.settings)
    await started(async (home) => {
      const file = join(home, 'sentinel.conf')
      await writeFile(file, `sentinel monitor ${masterName} 127.0.0.1 ${master.port} 1\n`)
      return [file, '--sentinel', ...watching.settings, '--tls-replication', 'yes']
    })
    return `rediss-sentinel://localhost:${watching.port}/${masterName}`
  }

  const cluster = async () => {
    const { port, settings } = await secured()
    const bus = await freePort()
    const clustered = ['--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-port', `${bus}`]
    // Alone, it has not learned its address from others.
    const server = await started(async () => [...settings, ...clustered, '--cluster-announce-ip', '127.0.0.1'])
    await server.command('CLUSTER ADDSLOTSRANGE 0 16383')
    await server.until('CLUSTER INFO', /cluster_state:ok/)
    return `rediss-cluster://localhost:${port}`
  }

  it.each([
    ['a server by its name', () => single('localhost')],
    ['a server by its address', () => single('127.0.0.1')],
    ['Sentinels and their master', sentinels],
    ['a cluster', cluster],
  ])('%s is trusted by the authority given, and by no other', async (_, start) => {
    const url = await start()
    const { cache } = await connected(url, { ca: readFileSync(identity.cert, 'utf8') })
    await hearing(cache)
    await cache.note('fact', 'here', 60_000)
    expect(await cache.noted('fact')).toBe('here')
    await refused(url, { ca: readFileSync(another.cert, 'utf8') })
    await refused(url)
  })
})
