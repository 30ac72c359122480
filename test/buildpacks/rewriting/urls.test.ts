import { describe, expect, it } from 'vitest'
import { base, configured, rewrite } from './fixtures.js'

const repositories = await configured({
  'lang-jvm': { remote: 'https://lang-jvm.s3.amazonaws.com' },
  jdks: { remote: 'https://lang-jvm.s3.amazonaws.com/jdk' },
  'path-style': { remote: 'https://s3.eu-west-1.amazonaws.com/some.bucket/below' },
  'maven-central': { remote: 'https://repo1.maven.org/maven2' },
  'nodejs-dist': { remote: ['https://mirror.example:8443/node', 'http://nodejs.org/dist'] },
  'go.example': { remote: 'https://golang.example/dl', aliases: ['dl.golang.example', 'golang'] },
  archives: { remote: 'https://github.com', allow: ['*/*/archive/**'], block: ['secret/**'] },
  releases: { remote: 'https://github.com', allow: ['*/*/releases/download/**'] },
  jars: { remote: 'https://jars.example', allow: ['**/*.jar'] },
  numbered: { remote: 'http://[::1]:8081/x' },
  uploads: { type: 'hosted', aliases: ['uploads.example'] },
  all: { type: 'group', members: ['lang-jvm'], aliases: ['all.example'] },
})

/** How a text comes out; `undefined` where it stays what it is. */
async function replaced(text: string): Promise<string | undefined> {
  const { bytes, outcome } = await rewrite(Buffer.from(text), { repositories })
  const result = bytes.toString()
  expect(outcome.kind === 'rewritten' && outcome.urls > 0).toBe(result !== text)
  return result === text ? undefined : result
}

const at = (name: string, rest = '') => `${base}/repository/${name}${rest}`

describe('URLs that become ours', () => {
  it.each([
    ['a remote', 'https://lang-jvm.s3.amazonaws.com/x', at('lang-jvm', '/x')],
    ['over http', 'http://lang-jvm.s3.amazonaws.com/x', at('lang-jvm', '/x')],
    ['in capitals', 'HTTPS://Lang-JVM.S3.amazonaws.com/X', at('lang-jvm', '/X')],
    ['with the port of https', 'https://lang-jvm.s3.amazonaws.com:443/x', at('lang-jvm', '/x')],
    ['with the port of http', 'http://lang-jvm.s3.amazonaws.com:80/x', at('lang-jvm', '/x')],
    ['S3 by region', 'https://lang-jvm.s3.us-east-1.amazonaws.com/x', at('lang-jvm', '/x')],
    ['S3 by another region', 'https://lang-jvm.s3.ap-southeast-2.amazonaws.com/x', at('lang-jvm', '/x')],
    ['S3 by region, as it was', 'https://lang-jvm.s3-eu-west-1.amazonaws.com/x', at('lang-jvm', '/x')],
    ['S3 of two addresses', 'https://lang-jvm.s3.dualstack.us-east-1.amazonaws.com/x', at('lang-jvm', '/x')],
    ['S3 accelerated', 'https://lang-jvm.s3-accelerate.amazonaws.com/x', at('lang-jvm', '/x')],
    ['S3 accelerated, two addresses', 'https://lang-jvm.s3-accelerate.dualstack.amazonaws.com/x', at('lang-jvm', '/x')],
    ['S3 by path', 'https://s3.amazonaws.com/lang-jvm/x', at('lang-jvm', '/x')],
    ['S3 by path and region', 'https://s3.us-west-2.amazonaws.com/lang-jvm/x', at('lang-jvm', '/x')],
    ['S3 by path, as it was', 'https://s3-us-west-2.amazonaws.com/lang-jvm/x', at('lang-jvm', '/x')],
    ['S3 by path, two addresses', 'https://s3.dualstack.us-west-2.amazonaws.com/lang-jvm/x', at('lang-jvm', '/x')],
    ['S3 by path, the bucket alone', '"https://s3.amazonaws.com/lang-jvm"', `"${at('lang-jvm')}"`],
    ['the longer of two remotes', 'https://lang-jvm.s3.amazonaws.com/jdk/x', at('jdks', '/x')],
    ['the longer one by path', 'https://s3.amazonaws.com/lang-jvm/jdk/x', at('jdks', '/x')],
    ['a remote by path, by host', 'http://some.bucket.s3.amazonaws.com/below/x', at('path-style', '/x')],
    ['a remote with a path', 'https://repo1.maven.org/maven2/a/b.jar', at('maven-central', '/a/b.jar')],
    ['a remote with a path, alone', "'https://repo1.maven.org/maven2'", `'${at('maven-central')}'`],
    ['a second remote', 'https://nodejs.org/dist/v20/x', at('nodejs-dist', '/v20/x')],
    ['a remote with a port', 'https://mirror.example:8443/node/x', at('nodejs-dist', '/x')],
    ['a remote that is a number', 'http://[::1]:8081/x/y', at('numbered', '/y')],
    ['an alias that is a host', 'https://dl.golang.example/go1.tar.gz', at('go.example', '/go1.tar.gz')],
    ['a name that is a host', 'https://go.example/go1.tar.gz', at('go.example', '/go1.tar.gz')],
    ['a bare host before a quote', '"https://lang-jvm.s3.amazonaws.com"', `"${at('lang-jvm')}"`],
    ['a bare host at the end', 'BASE=https://lang-jvm.s3.amazonaws.com', `BASE=${at('lang-jvm')}`],
    ['a bare host before a variable', `https://lang-jvm.s3.amazonaws.com/\${x}`, at('lang-jvm', `/\${x}`)],
    ['a variable for the whole path', `https://lang-jvm.s3.amazonaws.com\${x}`, at('lang-jvm', `\${x}`)],
    ['a query', 'https://lang-jvm.s3.amazonaws.com?list-type=2', at('lang-jvm', '?list-type=2')],
    ['in brackets', '(see https://repo1.maven.org/maven2)', `(see ${at('maven-central')})`],
    ['at the end of a sentence', 'of https://repo1.maven.org/maven2.', `of ${at('maven-central')}.`],
    [
      'in JSON',
      '{"url":"https:\\/\\/repo1.maven.org\\/maven2\\/x"}',
      '{"url":"https:\\/\\/larder.example\\/repository\\/maven-central\\/x"}',
    ],
    [
      'in JSON, bare',
      '"https:\\/\\/lang-jvm.s3.amazonaws.com"',
      '"https:\\/\\/larder.example\\/repository\\/lang-jvm"',
    ],
    ['behind an escape', '"\\nhttps://lang-jvm.s3.amazonaws.com/x"', `"\\n${at('lang-jvm', '/x')}"`],
    ['behind what is no URL', 'https://https://lang-jvm.s3.amazonaws.com/x', `https://${at('lang-jvm', '/x')}`],
    ['two of them', 'https://go.example/a,https://go.example/b', `${at('go.example', '/a')},${at('go.example', '/b')}`],
    ['routed', 'https://github.com/o/r/archive/v1.tar.gz', at('archives', '/o/r/archive/v1.tar.gz')],
    [
      'routed by the other of two',
      'https://github.com/o/r/releases/download/v1/x',
      at('releases', '/o/r/releases/download/v1/x'),
    ],
    [
      'routed, with a variable',
      `"https://github.com/o/r/archive/\${v}.tar.gz"`,
      `"${at('archives', `/o/r/archive/\${v}.tar.gz`)}"`,
    ],
    ['routed, with a command', '"https://github.com/$(o)/r/archive/x"', `"${at('archives', '/$(o)/r/archive/x')}"`],
    ['routed by its ending, in brackets', '(https://jars.example/a.jar), and', `(${at('jars', '/a.jar')}), and`],
    ['routed by its ending, in a list', 'https://jars.example/a.jar,http://x/y', `${at('jars', '/a.jar')},http://x/y`],
    ['routed by its ending, with a query', 'https://jars.example/a.jar?x', at('jars', '/a.jar?x')],
    [
      'routed by its ending, in JSON',
      '"https:\\/\\/jars.example\\/a.jar"',
      '"https:\\/\\/larder.example\\/repository\\/jars\\/a.jar"',
    ],
  ])('%s: %s', async (_, text, result) => {
    expect(await replaced(text)).toBe(result)
    expect(await replaced(result)).toBeUndefined()
  })

  it.each([
    ['a longer host', 'https://lang-jvm.s3.amazonaws.com.evil.test/x'],
    ['a host it ends', 'https://not-lang-jvm.s3.amazonaws.com/x'],
    ['another port', 'https://lang-jvm.s3.amazonaws.com:8443/x'],
    ['a port of the other scheme', 'https://lang-jvm.s3.amazonaws.com:80/x'],
    ['a port to be filled in', `https://lang-jvm.s3.amazonaws.com:\${port}/x`],
    ['no port, where the remote has one', 'https://mirror.example/node/x'],
    ['a user before it', 'https://user@lang-jvm.s3.amazonaws.com/x'],
    ['a user that looks like it', 'https://lang-jvm.s3.amazonaws.com@evil.test/x'],
    ['a user with a password', 'https://lang-jvm.s3.amazonaws.com:x@evil.test/x'],
    ['a user with more to it', 'https://lang-jvm.s3.amazonaws.com$a!b@evil.test/x'],
    ['an escape in the host', 'https://lang-jvm.s3.amazonaws.com%2eevil.test/x'],
    ['a host that is not ASCII', 'https://lang-jvm.s3.amazonaws.comé/x'],
    ['a dot behind the host', 'https://lang-jvm.s3.amazonaws.com./x'],
    ['China has buckets of its own', 'https://lang-jvm.s3.cn-north-1.amazonaws.com.cn/x'],
    ['a website of the bucket', 'https://lang-jvm.s3-website-us-east-1.amazonaws.com/x'],
    ['a longer bucket', 'https://s3.amazonaws.com/lang-jvm-2/x'],
    ['a bucket that goes on in a variable', `https://s3.amazonaws.com/lang-jvm\${x}`],
    ['S3 without a bucket', 'https://s3.amazonaws.com/'],
    ['a path beside the remote', 'https://repo1.maven.org/maven20/x'],
    ['a path that goes on in a variable', `https://repo1.maven.org/maven2\${x}`],
    ['a path above the remote', 'https://repo1.maven.org/'],
    ['a key beside the prefix', 'https://s3.amazonaws.com/some.bucket/x'],
    ['an alias that is no host', 'https://golang/x'],
    ['another scheme', 'ftp://lang-jvm.s3.amazonaws.com/x s3://lang-jvm/x //lang-jvm.s3.amazonaws.com/x'],
    ['a hosted repository', 'https://uploads.example/x'],
    ['a group', 'https://all.example/x'],
    ['not routed', 'https://github.com/o/r'],
    ['not routed: git', 'https://github.com/o/r.git'],
    ['not routed: the host alone', '"https://github.com" "https://github.com/"'],
    ['not routed: what a variable might make of it', `https://github.com/\${repo}.git https://github.com/\${path}`],
    ['not routed: another ending', 'https://jars.example/a.jar.asc'],
    ['blocked', 'https://github.com/secret/r/archive/v1.tar.gz'],
    ['ours', `${base}/repository/lang-jvm/x`],
    ['no URL at all', 'https:// http:/lang-jvm.s3.amazonaws.com https:lang-jvm.s3.amazonaws.com'],
  ])('but not %s: %s', async (_, text) => {
    expect(await replaced(text)).toBeUndefined()
  })

  it('have our own left alone where we lie under a remote of ours', async () => {
    const central = await configured({ central: { remote: 'https://larder.example' } })
    const text = `${base}/repository/x/y ${base}/other`
    const { bytes } = await rewrite(Buffer.from(text), { repositories: central })
    expect(bytes.toString()).toBe(`${base}/repository/x/y ${base}/repository/central/other`)
  })
})
