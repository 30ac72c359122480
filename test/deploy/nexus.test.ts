import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { faultsIn } from '../config/faults.js'
import { run } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { temporaryDirectory } from '../support/stage.js'
import { textOf } from './files.js'

const examples = (language: string): string[] =>
  [...textOf('docs/migrating-from-nexus.md').matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(
    ([, text = '']) => text,
  )

/** As Nexus's `/service/rest/v1/repositorySettings` tells of them, less what doesn't matter here. */
const settings = [
  {
    ...{ name: 'lang-jvm', format: 'raw', type: 'proxy', online: true },
    proxy: { remoteUrl: 'https://lang-jvm.s3.amazonaws.com/', contentMaxAge: -1, metadataMaxAge: 1440 },
    negativeCache: { enabled: true, timeToLive: 1440 },
    httpClient: { blocked: false, autoBlock: true, connection: null, authentication: null },
  },
  {
    ...{ name: 'tools', format: 'raw', type: 'proxy', online: true },
    proxy: { remoteUrl: 'https://tools.corp.example/x', contentMaxAge: 1440, metadataMaxAge: 1440 },
    negativeCache: { enabled: false, timeToLive: 1440 },
    httpClient: { blocked: true, autoBlock: true, authentication: { type: 'username', username: 'ci' } },
  },
  { name: 'releases', format: 'maven2', type: 'proxy' },
  { name: 'own', format: 'raw', type: 'hosted' },
]

it.each(examples('yaml'))('an example of docs/migrating-from-nexus.md is a configuration: %s', (text) => {
  expect(faultsIn('/', text)).toEqual([])
})

describe.skipIf(missing('jq').length > 0)(title('the filter of docs/migrating-from-nexus.md', 'jq'), () => {
  it('makes a configuration of the settings of Nexus', async () => {
    const home = await temporaryDirectory()
    const [filter = ''] = examples('jq')
    await writeFile(join(home, 'nexus.jq'), filter)
    await writeFile(join(home, 'settings.json'), JSON.stringify(settings))
    const { code, stdout, stderr } = await run('jq', ['-f', 'nexus.jq', 'settings.json'], home)
    expect([code, stderr]).toEqual([0, ''])
    await mkdir(join(home, 'secrets'))
    await writeFile(join(home, 'secrets/tools'), 'secret\n')
    expect(faultsIn(home, stdout.toString())).toEqual([])
    expect(parse(stdout.toString())).toEqual({
      repositories: {
        'lang-jvm': {
          remote: 'https://lang-jvm.s3.amazonaws.com',
          freshness: [{ match: '**', maxAge: 'forever' }],
          blocked: false,
        },
        tools: {
          remote: 'https://tools.corp.example/x',
          freshness: [{ match: '**', maxAge: '1440m' }],
          negative: { ttl: 0 },
          blocked: true,
          auth: { basic: { username: 'ci', password: 'file:secrets/tools' } },
        },
      },
    })
  })
})
