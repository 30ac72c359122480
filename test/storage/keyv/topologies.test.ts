import { afterAll, beforeAll, describe } from 'vitest'
import { sharedCacheContract } from '../../contract/shared-cache.js'
import { startRedis } from '../../support/redis.js'
import { addUser, masterName, type RedisSet, startCluster, startSentinelSet } from '../../support/redis-sets.js'
import { missing, title } from '../../support/servers.js'
import { driverOn } from './connected.js'

/** Of all kinds that have to be percent-encoded. */
const password = 's/e:c@r?e%t#ä'
const login = `larder:${encodeURIComponent(password)}`

const single = async (): Promise<RedisSet> => {
  const server = await startRedis()
  return {
    ...{ hosts: `127.0.0.1:${server.port}`, nodes: [server] },
    flush: () => server.flush(),
    dispose: () => server.dispose(),
  }
}

/** Each as the user of the documentation, who may do no more than the driver needs. */
describe.skipIf(missing('redis-server').length > 0).each([
  ['one server', single, (hosts: string) => `redis://${login}@${hosts}`],
  ['a database of one server', single, (hosts: string) => `redis://${login}@${hosts}/3`],
  ['Sentinels', startSentinelSet, (hosts: string) => `redis-sentinel://${login}@${hosts}/${masterName}/2`],
  ['a cluster', startCluster, (hosts: string) => `redis-cluster://${login}@${hosts}`],
])(title('a shared cache on %s, as a user who may do no more than documented', 'redis-server'), (_, start, urlOf) => {
  let set: RedisSet
  beforeAll(async () => {
    set = await start()
    await addUser(set.nodes, password)
  })
  afterAll(() => set?.dispose())

  sharedCacheContract(() => driverOn(urlOf(set.hosts), set))
})
