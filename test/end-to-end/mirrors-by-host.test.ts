import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { presets } from '../../src/buildpacks/catalogue/presets.js'
import { get, open } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { noise } from '../support/stage.js'
import { onlineStage } from './online.js'
import { mirrored } from './paketo.js'
import { putOnGitHub } from './world.js'

const all = 'BP_DEPENDENCY_MIRROR'

it.each([
  [
    'the mirror of all',
    { [all]: 'https://l/repository/{originalHost}' },
    'https://a.b/c',
    'https://l/repository/a.b/c',
  ],
  [
    'a host’s own',
    { [all]: 'https://l', BP_DEPENDENCY_MIRROR_A__B_C: 'https://m/r' },
    'https://a-b.c/d',
    'https://m/r/d',
  ],
  ['%2B', { [all]: 'https://l' }, 'https://a.b/1%2B2', 'https://l/1+2'],
  ['a blank, a bracket, an umlaut', { [all]: 'https://l' }, 'https://a.b/%20%5B%C3%BC', 'https://l/%20%5B%C3%BC'],
  ['the query is dropped', { [all]: 'https://l' }, 'https://a.b/c?d=e', 'https://l/c'],
])('Paketo forms URLs: %s', (_, mirrors, uri, expected) => {
  expect(mirrored(uri, mirrors as unknown as Readonly<Record<string, string>>)).toBe(expected)
})

/** A dependency of each host, as it stands in some buildpack.toml. */
const dependencies: readonly string[] = [
  'https://github.com/bell-sw/Liberica/releases/download/17.0.9+11/bellsoft-jre17.0.9+11-linux-amd64.tar.gz',
  'https://github.com/adoptium/temurin17-binaries/releases/download/jdk-17.0.9%2B9/OpenJDK17U-jdk_x64_linux_hotspot_17.0.9_9.tar.gz',
  'https://repo1.maven.org/maven2/org/apache/maven/apache-maven/3.9.6/apache-maven-3.9.6-bin.tar.gz',
  'https://nodejs.org/dist/v22.11.0/node-v22.11.0-linux-x64.tar.xz',
  'https://services.gradle.org/distributions/gradle-8.10.2-bin.zip',
  'https://downloads.gradle.org/distributions/gradle-8.10.2-bin.zip',
  'https://dl.google.com/go/go1.22.12.linux-amd64.tar.gz',
  'https://storage.googleapis.com/golang/go1.10.5.linux-amd64.tar.gz',
  'https://go.dev/dl/go1.22.12.linux-amd64.tar.gz',
  'https://artifacts.paketo.io/pip/pip_24.3.1_noarch_3e1e3b0a.tgz',
  'https://deps.paketo.io/ruby/ruby_3.3.6_linux_x64_jammy_9a8b7c6d.tgz',
  'https://download.bell-sw.com/vm/22.3.5/bellsoft-liberica-vm-core-openjdk11.0.22+12-22.3.5+1-linux-amd64.tar.gz',
  'https://corretto.aws/downloads/resources/17.0.4.9.1/amazon-corretto-17.0.4.9.1-linux-x64.tar.gz',
  'https://builds.dotnet.microsoft.com/dotnet/aspnetcore/Runtime/8.0.22/aspnetcore-runtime-8.0.22-linux-x64.tar.gz',
  'https://download.clojure.org/install/linux-install-1.12.4.1618.sh',
  'https://cdn.azul.com/zulu/bin/zulu17.46.19-ca-jdk17.0.9-linux_x64.tar.gz',
  'https://archive.apache.org/dist/tomcat/tomcat-9/v9.0.83/bin/apache-tomcat-9.0.83.tar.gz',
  'https://downloads.apache.org/tomcat/tomcat-10/v10.1.33/bin/apache-tomcat-10.1.33.tar.gz',
  'https://www.python.org/ftp/python/3.13.1/Python-3.13.1.tgz',
  'https://files.pythonhosted.org/packages/ab/cd/poetry-1.8.4.tar.gz?hashes=md5',
]

const hosts = [...new Set(dependencies.map((uri) => new URL(uri).host)), 'release-assets.githubusercontent.com']

it('has a dependency of each host of the preset', () => {
  const remotes = Object.values(presets.paketo).map(({ remote }) => new URL(remote).host)
  expect(remotes.filter((host) => !hosts.includes(host))).toEqual([])
})

describe.skipIf(missing('openssl').length > 0)(title('mirrors by host', 'openssl'), () => {
  const online = onlineStage()
  const bodies = new Map(dependencies.map((uri) => [uri, noise(50_000)]))

  const start = async () => {
    const stage = await online({
      hosts,
      populate(internet) {
        for (const [uri, body] of bodies) {
          const asked = mirrored(uri, { [all]: new URL(uri).origin })
          if (asked.startsWith('https://github.com')) putOnGitHub(internet, asked, body)
          else internet.put(asked, body)
        }
      },
    })
    const ca = await readFile(stage.ca, 'utf8')
    return { ...stage, fetch: (url: string) => get(url, { ca }), ca }
  }

  it('BP_DEPENDENCY_MIRROR leads every dependency through Larder, once', async () => {
    const { larder, internet, fetch } = await start()
    const mirrors = { [all]: `${larder.httpsUrl}/repository/{originalHost}` }
    for (const _ of ['cold', 'warm']) {
      for (const [uri, body] of bodies) {
        const { status, body: got } = await fetch(mirrored(uri, mirrors))
        expect([uri, status, got.equals(body)]).toEqual([uri, 200, true])
      }
    }
    const plus = internet.requests().filter(({ url }) => url.includes('temurin'))
    expect(plus.map(({ url }) => url)).toEqual([expect.stringContaining('/jdk-17.0.9+9/')])
    expect(internet.requests().filter(({ host }) => host !== 'release-assets.githubusercontent.com')).toHaveLength(
      dependencies.length,
    )
  })

  it('BP_DEPENDENCY_MIRROR_<HOST> leads one host to one repository by any name it has', async () => {
    const { larder, fetch } = await start()
    const base = `${larder.httpsUrl}/repository`
    const mirrors = {
      BP_DEPENDENCY_MIRROR_GITHUB_COM: `${base}/github`,
      BP_DEPENDENCY_MIRROR_DOWNLOAD_BELL__SW_COM: `${base}/bell-sw`,
    }
    for (const host of ['github.com', 'download.bell-sw.com']) {
      const [uri = ''] = dependencies.filter((each) => new URL(each).host === host)
      const url = mirrored(uri, mirrors)
      expect(url.startsWith(base)).toBe(true)
      expect((await fetch(url)).body.equals(bodies.get(uri) as Buffer)).toBe(true)
    }
  })

  it('C6: the first byte goes out while the host still holds the rest', async () => {
    const { larder, internet, ca } = await start()
    const uri = 'https://cdn.azul.com/zulu/bin/zulu17.46.19-ca-jdk17.0.9-linux_x64.tar.gz'
    const gate = internet.host('cdn.azul.com').hold(new URL(uri).pathname, 1000)
    const exchange = await open(mirrored(uri, { [all]: `${larder.httpsUrl}/repository/{originalHost}` }), { ca })
    await exchange.firstByte
    gate.letGo()
    const { body, ended } = await exchange.finished
    expect([body.equals(bodies.get(uri) as Buffer), ended]).toEqual([true, 'end'])
  })
})
