import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { get } from '../support/http.js'
import { freePort } from '../support/redis.js'
import { find } from '../support/servers.js'
import { until } from '../support/stage.js'

export interface Balancer {
  readonly url: string
  dispose(): Promise<void>
}

/**
 * HAProxy that balances requests. One whose replica can't be reached goes to another one; one that was sent is never sent
 * again, so that clients see what becomes of it. A replica that dies is out of it after the next check.
 */
const configuration = (port: number, replicas: readonly string[]): string => `
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout check 5s
  retries 3
  retry-on conn-failure
  option redispatch 1

frontend larder
  bind 127.0.0.1:${port}
  default_backend replicas

backend replicas
  balance roundrobin
  http-reuse always
  option httpchk GET /readyz
  default-server check inter 500ms fall 2 rise 1
${replicas.map((url, i) => `  server replica-${i} ${new URL(url).host}`).join('\n')}
`

/** Ask `missing('haproxy')` before. */
export async function startBalancer(replicas: readonly string[]): Promise<Balancer> {
  const home = await mkdtemp(join(tmpdir(), 'larder-balancer-'))
  const port = await freePort()
  const file = join(home, 'haproxy.cfg')
  await writeFile(file, configuration(port, replicas))
  const child = spawn(find('haproxy') ?? '', ['-db', '-f', file], { stdio: 'ignore' })
  const gone = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  const dispose = async () => {
    child.kill('SIGKILL')
    await gone
    await rm(home, { recursive: true, force: true })
  }
  const answers = () =>
    get(`${url}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    )
  await until(answers, 'the balancer answers').catch(async (error) => {
    await dispose()
    throw error
  })
  return { url, dispose }
}
