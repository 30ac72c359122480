import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Remote, Repository } from '../../src/caching/repository.js'
import { loadConfig } from '../../src/config/load.js'
import { temporaryDirectory } from '../support/stage.js'

export const mirrors = ['http://one.test', 'http://two.test/base'] as const

/** One that is no hosted repository, nor a group. */
interface Proxy extends Repository {
  readonly remotes: readonly [Remote, ...Remote[]]
}

/** A repository before two mirrors, as its settings make it; each call makes a new one. */
export async function configured(settings: Record<string, unknown> = {}): Promise<Proxy> {
  const file = join(await temporaryDirectory(), 'repositories.yaml')
  await writeFile(file, JSON.stringify({ repositories: { raw: { remote: mirrors, ...settings } } }))
  const [repository] = (await loadConfig(file, {})).repositories
  if (!repository) throw new Error('no repository')
  return repository as Proxy
}
