import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { textOf } from '../deploy/files.js'
import { type Authority, createAuthority } from '../support/authority.js'
import { type Internet, namesOf, startInternet } from '../support/internet.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import type { Certificate } from '../support/stage.js'

export interface Online {
  readonly internet: Internet
  readonly larder: LarderProcess
  /** Path of the authority behind the internet's certificates and Larder's own. */
  readonly ca: string
}

export interface OnlineOptions {
  readonly hosts: readonly string[]
  /** Gives the internet what it has. */
  readonly populate: (internet: Internet) => void
  /** repositories.yaml; default: the one that is shipped. */
  readonly config?: string
}

/**
 * For the tests of a file: a real Larder, by http and https, whose only way out is an egress proxy with an internet of
 * its own behind it.
 */
export function onlineStage(): (options: OnlineOptions) => Promise<Online> {
  let home = ''
  let authority: Authority | undefined
  let own: Certificate | undefined
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'larder-authority-'))
    authority = await createAuthority(home)
    own = await authority.issue('larder', ['IP:127.0.0.1', 'DNS:localhost', 'DNS:larder.example.com'])
  })
  afterAll(() => rm(home, { recursive: true, force: true }))
  return async ({ hosts, populate, config = textOf('repositories.yaml') }) => {
    if (!authority || !own) throw new Error('the stage is set in tests only')
    const { ca } = authority
    const internet = await startInternet(hosts, await authority.issue('internet', namesOf(hosts)))
    onTestFinished(() => internet.stop())
    populate(internet)
    const env = { HTTPS_PROXY: internet.proxy, LARDER_CA_FILE: ca, LARDER_TLS_CERT: own.cert, LARDER_TLS_KEY: own.key }
    const larder = await startLarder({ config, env })
    onTestFinished(() => larder.dispose())
    return { internet, larder, ca }
  }
}
