import { setTimeout as sleep } from 'node:timers/promises'

/**
 * @typedef {ReturnType<typeof import('./redis.mjs').redisServer>} Redis
 * @typedef {import('./server.mjs').Server} Server
 */

/**
 * Redis is stopped, killed, and started again, in turn, until there is enough.
 *
 * @param {Redis} redis
 * @param {() => boolean} goesOn
 */
export async function troubleRedis(redis, goesOn) {
  while (goesOn()) {
    await sleep(5_000)
    redis.pause()
    await sleep(3_000)
    redis.resume()
    await sleep(4_000)
    await redis.kill()
    await sleep(3_000)
    await redis.start()
  }
}

/**
 * What an operator does on a busy day: purges, reloads, verifies, sweeps. Returns how many of his calls were refused.
 *
 * @param {Server} server
 * @param {() => boolean} goesOn
 */
export async function operate(server, goesOn) {
  let refused = 0
  for (let n = 0; goesOn(); n += 1) {
    await sleep(2_000)
    const directory = `${n % 2 === 0 ? 'mutable' : 'fixed'}/${n % 10}/`
    const status = await server.administer('POST', '/purge', {
      repository: 'soak',
      prefix: directory,
      soft: n % 3 === 0,
    })
    if (status >= 300) refused += 1
    if (n % 5 === 1) server.reload()
    // One of a kind runs at a time: another is refused, and rightly.
    if (n % 7 === 2) await server.administer('POST', '/tasks', { kind: n % 2 === 0 ? 'verify' : 'gc' })
  }
  return refused
}
