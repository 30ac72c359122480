/** Where the Redis of the replicas is, and how it lets them in. */
export type RedisPlace = RedisAccess & (RedisServer | RedisSentinels | RedisCluster)

interface RedisAccess {
  readonly tls: boolean
  readonly login: RedisLogin | undefined
}

interface RedisServer {
  readonly kind: 'single'
  readonly node: RedisNode
  readonly database: number
}

interface RedisSentinels {
  readonly kind: 'sentinel'
  readonly sentinels: readonly RedisNode[]
  /** What the Sentinels call the set of servers whose master is meant. */
  readonly master: string
  readonly database: number
  /** For the Sentinels themselves; `undefined` where they ask for none. */
  readonly sentinelLogin: RedisLogin | undefined
}

interface RedisCluster {
  readonly kind: 'cluster'
  /** Some of its nodes; the others are learned from them. */
  readonly nodes: readonly RedisNode[]
}

export interface RedisNode {
  readonly host: string
  readonly port: number
}

/** Without a user name it is Redis's default user. */
export interface RedisLogin {
  readonly username?: string
  readonly password: string
}
