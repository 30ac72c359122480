import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.js'
import { repositoryIndex } from '../../src/config/repositories.js'
import { LarderError } from '../../src/errors.js'
import type { WarmSource } from '../../src/warming/order.js'
import { planWarmUp } from '../../src/warming/plan.js'

const { repositories } = parseConfig(
  JSON.stringify({
    repositories: {
      jdk: { remote: 'https://bucket.s3.amazonaws.com', aliases: ['old.test'] },
      deep: { remote: ['https://bucket.s3.amazonaws.com/deep', 'http://mirror.test/x'] },
      central: { remote: 'https://repo.test/maven2' },
      plain: { remote: 'https://plain.test', query: 'ignore' },
    },
  }),
  'repositories.yaml',
  {},
)

/** `files`: what is to be read, by repository and target. */
async function plan(
  items: readonly string[],
  from: readonly WarmSource[] = [],
  files: Readonly<Record<string, string>> = {},
) {
  const reads: string[] = []
  const { places, misfits } = await planWarmUp(
    { items, from },
    {
      repositories: () => repositories,
      find: repositoryIndex(repositories),
      async read({ repository, target }, validated) {
        const name = repository.name + target
        reads.push(validated ? `${name} validated` : name)
        const text = files[name]
        if (text === undefined) throw new LarderError('UPSTREAM_ABSENT', 'the remote answered 404')
        return new TextEncoder().encode(text)
      },
    },
  )
  return {
    reads,
    places: places.map(({ repository, target }) => repository.name + target),
    misfits: misfits.map(({ item, error }) => [item, error.code]),
  }
}

describe('what an order means', () => {
  it.each([
    ['a path', 'jdk/a.tgz', 'jdk/a.tgz'],
    ['by an alias', 'old.test/a.tgz', 'jdk/a.tgz'],
    ['a query', 'jdk/a?x=1', 'jdk/a?x=1'],
    ['a URL', 'https://repo.test/maven2/a.jar', 'central/a.jar'],
    ['a URL of the nearest of two remotes', 'https://bucket.s3.amazonaws.com/deep/a', 'deep/a'],
    ['not of one that only begins so', 'https://bucket.s3.amazonaws.com/deeper/a', 'jdk/deeper/a'],
    ['a URL of a mirror, by another scheme', 'https://mirror.test/x/a', 'deep/a'],
    ['a URL whose host is an alias', 'https://old.test/y/a?b', 'jdk/y/a?b'],
    ['a URL in another case', 'HTTPS://Repo.test/maven2/A.jar', 'central/A.jar'],
    ['escapes as they are', 'jdk/a%2Bb%20c', 'jdk/a%2Bb%20c'],
  ])('%s', async (_, item, place) => {
    expect(await plan([item])).toEqual({ reads: [], places: [place], misfits: [] })
  })

  it.each([
    ['an unknown repository', 'nope/a', 'REPOSITORY_UNKNOWN'],
    ['a URL of none', 'https://elsewhere.test/a', 'REPOSITORY_UNKNOWN'],
    ['no path', 'jdk', 'PATH_INVALID'],
    ['only a slash', 'jdk/', 'PATH_INVALID'],
    ['a way out', 'jdk/%2e%2e/a', 'PATH_INVALID'],
  ])('what can not be tried is told of, and the rest is tried: %s', async (_, item, code) => {
    expect(await plan([item, 'jdk/a'])).toMatchObject({ places: ['jdk/a'], misfits: [[item, code]] })
  })

  it('the same artifact once, whatever it is called', async () => {
    expect((await plan(['jdk/{a,b}', 'old.test/a', 'https://bucket.s3.amazonaws.com/b'])).places).toHaveLength(2)
    expect((await plan(['plain/a?x=1', 'plain/a?x=2'])).places).toHaveLength(1)
  })

  it('too many: says so at once', async () => {
    for (const items of [
      ['jdk/{1..9000}', 'deep/{1..9000}'],
      ['nope/{1..9000}', 'nope/{1..9000}'],
    ]) {
      await expect(plan(items)).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
    }
  })
})

describe('what lists mean', () => {
  const inventory = JSON.stringify({
    artifacts: ['17.0.1', '21.0.1', '21.0.2'].map((version) => ({
      ...{ version, arch: 'amd64', url: `https://bucket.s3.amazonaws.com/zulu/${version}.tar.gz` },
    })),
  })

  it('an inventory: URLs become paths of the repositories that stand for them', async () => {
    const from = [{ inventory: 'jdk/inventory.json', version: ['21'], latest: 1 }]
    const files = { 'jdk/inventory.json': inventory }
    expect(await plan(['jdk/a'], from, files)).toEqual({
      ...{ reads: ['jdk/inventory.json'], places: ['jdk/a', 'jdk/zulu/21.0.2.tar.gz'], misfits: [] },
    })
  })

  it('Maven metadata: beside its directory', async () => {
    const files = { 'central/com/x/agent/maven-metadata.xml': '<version>1.0</version><version>1.1</version>' }
    const from = [{ maven: 'central/com/x/agent/', latest: 1, files: ['{artifact}-{version}-all.jar'] }]
    expect((await plan([], from, files)).places).toEqual(['central/com/x/agent/1.1/agent-1.1-all.jar'])
  })

  it('SHASUMS: several, by braces', async () => {
    const line = (name: string) => `${'a'.repeat(64)}  ${name}\n`
    const files = { 'jdk/v1/SHASUMS256.txt': line('a.tgz') + line('a.zip'), 'jdk/v2/SHASUMS256.txt': line('b.tgz') }
    const from = [{ shasums: 'jdk/v{1,2}/SHASUMS256.txt', match: '**/*.tgz' }]
    expect((await plan([], from, files)).places).toEqual(['jdk/v1/a.tgz', 'jdk/v2/b.tgz'])
  })

  it('an S3 listing: page by page, never from the cache', async () => {
    const page = (keys: readonly string[], rest = '') =>
      `<ListBucketResult>${keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}${rest}</ListBucketResult>`
    const files = {
      'jdk/?list-type=2&prefix=zulu%2F': page(['zulu/a', 'zulu/b'], '<NextContinuationToken>n</NextContinuationToken>'),
      'jdk/?list-type=2&prefix=zulu%2F&continuation-token=n': page(['zulu/c']),
    }
    const { places, reads } = await plan([], [{ s3: 'jdk/zulu/' }], files)
    expect(places).toEqual(['jdk/zulu/a', 'jdk/zulu/b', 'jdk/zulu/c'])
    expect(reads).toEqual(Object.keys(files).map((name) => `${name} validated`))
  })

  it.each<[string, WarmSource, string]>([
    ['is not to be had', { inventory: 'jdk/none' }, 'UPSTREAM_ABSENT'],
    ['is something else', { inventory: 'jdk/text' }, 'NOTHING_LISTED'],
    ['has nothing that fits', { inventory: 'jdk/inventory.json', version: ['8'] }, 'NOTHING_LISTED'],
    ['cannot be asked for, its query is not forwarded', { s3: 'plain/x' }, 'NOTHING_LISTED'],
    ['is of an unknown repository', { shasums: 'nope/x' }, 'REPOSITORY_UNKNOWN'],
  ])('a list that %s is told of', async (_, source, code) => {
    const files = { 'jdk/inventory.json': inventory, 'jdk/text': 'text' }
    const { places, misfits } = await plan(['jdk/a'], [source], files)
    expect(places).toEqual(['jdk/a'])
    expect(misfits.map(([, code]) => code)).toEqual([code])
  })
})
