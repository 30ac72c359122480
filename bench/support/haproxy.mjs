import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { members, start } from './processes.mjs'
import { find, freePort, untilAnswering } from './tools.mjs'

const START_MS = 10_000

/**
 * HAProxy as a layer-4 front, set up as in deploy/front: connections go to the server that has the fewest.
 *
 * @param {{ directory: string, backends: readonly (readonly string[])[] }} options servers, as `host:port`, by front
 * @returns {Promise<{ urls: string[], pids: number[] }>} where each front listens
 */
export async function startHaproxy({ directory, backends }) {
  const binary = find('haproxy')
  if (binary === undefined) throw new Error('not found: haproxy')
  const fronts = []
  for (const servers of backends) fronts.push({ servers, port: await freePort() })
  const config = join(directory, 'haproxy.cfg')
  const sections = fronts.map(
    ({ servers, port }) => `listen front-${port}
  bind 127.0.0.1:${port}
  balance leastconn
${servers.map((server, i) => `  server larder-${i} ${server}`).join('\n')}
`,
  )
  const times = ['connect 3s', 'client 10m', 'server 10m'].map((time) => `  timeout ${time}\n`).join('')
  writeFileSync(config, `defaults\n  mode tcp\n${times}\n${sections.join('\n')}`)
  const child = start(binary, ['-db', '-f', config], { stdio: 'ignore' })
  const urls = fronts.map(({ port }) => `http://127.0.0.1:${port}`)
  for (const url of urls) await untilAnswering(`${url}/readyz`, child, START_MS)
  return { urls, pids: members(child.pid) }
}
