import type { RequestListener } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { type LarderProcess, startLarder } from './larder.js'
import { type Origin, startOrigin } from './origin.js'
import type { Settings } from './stage.js'

/** Failures are told without delay. */
const impatient = { retry: { attempts: 1, budget: '0s', resumes: 0 } }

type Environment = Readonly<Record<string, string>>

/** A server with several repositories, for as long as the test runs. */
export async function serve(repositories: Readonly<Record<string, Settings>>, env: Environment = {}) {
  const all = Object.entries(repositories).map(([name, settings]) => [name, { ...impatient, ...settings }])
  const larder = await startLarder({ config: JSON.stringify({ repositories: Object.fromEntries(all) }), env })
  onTestFinished(() => larder.dispose())
  return larder
}

/** The URL of a path of one of them. */
export const at = (larder: LarderProcess, repository: string, path: string): string =>
  `${larder.url}/repository/${repository}${path}`

/** A remote, for as long as the test runs. */
export async function someOrigin(): Promise<Origin> {
  const origin = await startOrigin()
  onTestFinished(() => origin.stop())
  return origin
}

/** A remote that speaks TLS, for as long as the test runs; resolves to its host and port. */
export async function secureRemote(options: ServerOptions, answer: RequestListener): Promise<string> {
  const server: Server = createServer(options, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
