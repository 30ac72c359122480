import { describe, expect, it } from 'vitest'
import { parseRedisUrl } from '../../src/config/redis-url.js'

const plain = { tls: false, login: undefined }
const at = (host: string, port: number) => ({ host, port })

describe('the URL of a Redis', () => {
  it.each([
    ['redis://redis', { kind: 'single', ...plain, node: at('redis', 6379), database: 0 }],
    ['redis://Redis.example:7000/', { kind: 'single', ...plain, node: at('redis.example', 7000), database: 0 }],
    ['redis://10.0.0.1:1/15', { kind: 'single', ...plain, node: at('10.0.0.1', 1), database: 15 }],
    ['redis://[fd00::1]', { kind: 'single', ...plain, node: at('fd00::1', 6379), database: 0 }],
    [
      'rediss://[fd00::1]:7000',
      { kind: 'single', tls: true, login: undefined, node: at('fd00::1', 7000), database: 0 },
    ],
    [
      'redis-sentinel://s1,s2:7,[::1]:8/main',
      {
        ...{ kind: 'sentinel', ...plain, sentinels: [at('s1', 26379), at('s2', 7), at('::1', 8)] },
        ...{ master: 'main', database: 0, sentinelLogin: undefined },
      },
    ],
    [
      'rediss-sentinel://app:p%2Fw@s1/my%20set/3?sentinelPassword=x%26y&sentinelUsername=a%3Ab',
      {
        ...{ kind: 'sentinel', tls: true, login: { username: 'app', password: 'p/w' } },
        ...{ sentinels: [at('s1', 26379)], master: 'my set', database: 3 },
        sentinelLogin: { username: 'a:b', password: 'x&y' },
      },
    ],
    [
      'redis-sentinel://s1/main?sentinelPassword=a+b',
      {
        ...{ kind: 'sentinel', ...plain, sentinels: [at('s1', 26379)], master: 'main', database: 0 },
        sentinelLogin: { password: 'a+b' },
      },
    ],
    ['redis-cluster://c1:7000,c2', { kind: 'cluster', ...plain, nodes: [at('c1', 7000), at('c2', 6379)] }],
    ['rediss-cluster://c1/', { kind: 'cluster', tls: true, login: undefined, nodes: [at('c1', 6379)] }],
  ])('%s', (url, place) => {
    expect(parseRedisUrl(url)).toEqual(place)
  })

  it.each([
    ['user:pass@', { username: 'user', password: 'pass' }],
    [':pass@', { password: 'pass' }],
    ['user@', { username: 'user', password: '' }],
    ['user:a:b%40%3A%25%C3%A4+@', { username: 'user', password: 'a:b@:%ä+' }],
    ['us%3Aer:pass@', { username: 'us:er', password: 'pass' }],
    ['@', undefined],
    [':@', undefined],
  ])('has its user before the @: %s', (userinfo, login) => {
    expect(parseRedisUrl(`redis://${userinfo}redis`)).toMatchObject({ login })
    expect(parseRedisUrl(`redis-cluster://${userinfo}c1,c2`)).toMatchObject({ login })
    expect(parseRedisUrl(`redis-sentinel://${userinfo}s1,s2/main`)).toMatchObject({ login, sentinelLogin: undefined })
  })

  it('may have an @ as it stands in the password of one server', () => {
    expect(parseRedisUrl('redis://user:a@b@redis')).toMatchObject({ login: { username: 'user', password: 'a@b' } })
  })

  it.each([
    ['another scheme', 'http://redis'],
    ['no host', 'redis://'],
    ['no host but a port', 'redis://:6379'],
    ['no host but a user', 'redis://user:pass@'],
    ['an empty host among others', 'redis-cluster://c1,,c2'],
    ['a comma at the end', 'redis-cluster://c1,'],
    ['several hosts of one server', 'redis://one,two'],
    ['a port that is none', 'redis://redis:70000'],
    ['a port of 0', 'redis://redis:0'],
    ['a host that is none', 'redis://re dis'],
    ['a user in front of each host', 'redis-cluster://u:p@c1,u:p@c2'],
    ['a database that is no number', 'redis://redis/cache'],
    ['a database below 0', 'redis://redis/-1'],
    ['more path', 'redis://redis/1/2'],
    ['a database of a cluster', 'redis-cluster://c1/1'],
    ['Sentinels without a name', 'redis-sentinel://s1'],
    ['Sentinels with a database in place of the name', 'redis-sentinel://s1//1'],
    ['Sentinels with more path', 'redis-sentinel://s1/main/1/2'],
    ['a parameter of one server', 'redis://redis?sentinelPassword=x'],
    ['an unknown parameter', 'redis-sentinel://s1/main?sentinelpassword=x'],
    ['a parameter twice', 'redis-sentinel://s1/main?sentinelPassword=x&sentinelPassword=y'],
    ['a user of the Sentinels without password', 'redis-sentinel://s1/main?sentinelUsername=x'],
    ['an empty password of the Sentinels', 'redis-sentinel://s1/main?sentinelPassword='],
    ['a fragment', 'redis://redis#0'],
    ['a password that is not percent-encoded', 'redis://user:50%@redis'],
    ['a name that is not percent-encoded', 'redis-sentinel://s1/50%'],
  ])('is none with %s', (_, url) => {
    expect(parseRedisUrl(url)).toBeUndefined()
  })
})
