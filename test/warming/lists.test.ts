import { describe, expect, it } from 'vitest'
import { buildpackCandidates, inventoryCandidates } from '../../src/warming/inventories.js'
import { mavenCandidates, s3Page, s3Target, shasumsCandidates } from '../../src/warming/listings.js'

const digest = 'a'.repeat(64)

describe('what publishers list', () => {
  it('SHASUMS: names beside the list, in either notation', () => {
    const text = `# by hand\n${digest}  node-v20.tar.gz\r\n${digest} *./win x64/node.exe\nSHA256 (b.tgz) = ${digest}\nnonsense\n`
    expect(shasumsCandidates(text, 'dist/v20/').map(({ location }) => location)).toEqual([
      'dist/v20/node-v20.tar.gz',
      'dist/v20/win%20x64/node.exe',
      'dist/v20/b.tgz',
    ])
  })

  it('Maven: each version, each file', () => {
    const text = `<metadata><versioning><release>2.0</release><versions>
      <version>1.0</version><version> 2.0 </version></versions></versioning></metadata>`
    const files = ['{artifact}-{version}.jar', '{artifact}-{version}.pom']
    const found = mavenCandidates(text, 'com/example/agent', files)
    expect(found.map(({ location, version }) => [location, version])).toEqual([
      ['com/example/agent/1.0/agent-1.0.jar', '1.0'],
      ['com/example/agent/1.0/agent-1.0.pom', '1.0'],
      ['com/example/agent/2.0/agent-2.0.jar', '2.0'],
      ['com/example/agent/2.0/agent-2.0.pom', '2.0'],
    ])
  })

  it('S3: a page, its keys as URLs have them, and how to go on', () => {
    const text = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
      <NextContinuationToken>1/a&amp;b+=</NextContinuationToken>
      <Contents><Key>jdk/</Key><Size>0</Size></Contents>
      <Contents><Key>jdk/a+b &amp; &#x63;.tgz</Key><Size>1</Size></Contents></ListBucketResult>`
    expect(s3Page(text)).toEqual({ candidates: [{ location: 'jdk/a%2Bb%20%26%20c.tgz' }], token: '1/a&b+=' })
    expect(s3Page('<ListBucketResult></ListBucketResult>')).toEqual({ candidates: [], token: undefined })
    expect(s3Page('<html>')).toBeUndefined()
  })

  it('S3: what is asked for', () => {
    expect(s3Target('jdk/a%2Bb/', undefined)).toBe('/?list-type=2&prefix=jdk%2Fa%2Bb%2F')
    expect(s3Target('', '1/a&b=')).toBe('/?list-type=2&prefix=&continuation-token=1%2Fa%26b%3D')
  })

  it('an inventory.json, as jvm.tgz has one', () => {
    const artifact = {
      ...{ version: '21.0.10', os: 'linux', arch: 'amd64', url: 'https://bucket.test/openjdk/21.0.10.tar.gz' },
      ...{ checksum: `sha256:${digest}`, metadata: { distribution: 'zulu', cedar_stacks: ['heroku-24'] } },
    }
    expect(
      inventoryCandidates(JSON.stringify({ version_aliases: {}, artifacts: [artifact, null, { url: 1 }] })),
    ).toEqual([{ location: artifact.url, version: '21.0.10', arch: 'amd64', stacks: ['heroku-24'] }])
  })

  it("a Paketo buildpack.toml; %2B is a plus, for Paketo's clients ask so", () => {
    const text = `[metadata]\n[[metadata.dependencies]]\nid = "jdk"\nversion = "21.0.5"
      purl = "pkg:generic/bellsoft-jdk@21.0.5?arch=arm64"\nstacks = ["*"]
      uri = "https://github.com/bell-sw/Liberica/releases/download/21.0.5%2B11/jdk21.0.5+11.tar.gz"\n`
    expect(buildpackCandidates(text)).toEqual([
      {
        location: 'https://github.com/bell-sw/Liberica/releases/download/21.0.5+11/jdk21.0.5+11.tar.gz',
        ...{ version: '21.0.5', arch: 'arm64', stacks: ['*'] },
      },
    ])
  })

  it.each(['', '<html>', '[]', '{"artifacts":1}', 'null'])('no list at all: %j', (text) => {
    expect(inventoryCandidates(text)).toBeUndefined()
    expect(buildpackCandidates(text)).toBeUndefined()
  })
})
