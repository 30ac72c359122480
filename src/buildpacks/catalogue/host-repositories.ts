import { archives, buildpackSources, type PresetRepositories, wholeHost } from './preset-repository.js'

/* Hosts that are served as a whole, or the part of them that builds need. */

const commit = `${'[0-9a-f]'.repeat(40)}.{tar.gz,zip}`

/** Sources of buildpacks and nothing else: other sources are downloaded for what their checksum says. */
const buildpackArchives = '*/*buildpack*/archive/**/*.{tar.gz,zip}'

/** Source archives and release assets: GitHub answers with redirects to other hosts, which are followed here. */
export const github: PresetRepositories = {
  github: {
    ...wholeHost(
      'github.com',
      [
        { match: '*/*/releases/download/**', maxAge: 'forever' },
        { match: `*/*/archive/${commit}`, maxAge: 'forever' },
        { match: '*/*/archive/refs/tags/**', maxAge: '24h' },
        { match: '*/*/archive/**', maxAge: '5m' },
      ],
      ['*/*/archive/**', '*/*/releases/download/**'],
    ),
    rewrite: [{ match: buildpackArchives, in: buildpackSources, unwrap: true }],
  },
}

/** Where GitHub's source archives come from; some `BUILDPACK_URL`s name it themselves. */
export const codeload: PresetRepositories = {
  codeload: {
    ...wholeHost(
      'codeload.github.com',
      [
        { match: `*/*/{tar.gz,zip}/${'[0-9a-f]'.repeat(40)}`, maxAge: 'forever' },
        { match: '*/*/{tar.gz,zip}/refs/tags/**', maxAge: '24h' },
        { match: '*/*/{tar.gz,zip}/**', maxAge: '5m' },
      ],
      ['*/*/{tar.gz,zip}/**'],
    ),
    rewrite: [{ match: '*/*buildpack*/{tar.gz,zip}/**', in: buildpackSources, unwrap: true }],
  },
}

/**
 * Maven Central. Its remote is a directory of the host, so its paths begin behind /maven2, and it has no alias by host.
 * The first rule that fits decides, so what changes stands before what doesn't: releases, their checksums and signatures.
 */
export const mavenCentral: PresetRepositories = {
  'maven-central': {
    remote: 'https://repo1.maven.org/maven2',
    freshness: [
      { match: '**/maven-metadata.xml*', maxAge: '5m' },
      { match: '**/*-SNAPSHOT*/**', maxAge: '5m' },
      {
        match: '**/*.{jar,pom,module,war,aar,zip,tar.gz}{,.asc,.md5,.sha1,.sha256,.sha512}',
        maxAge: 'forever',
      },
    ],
  },
}

/** The same by its hosts, for mirrors by host and for URLs inside buildpacks. */
export const mavenByHost: PresetRepositories = {
  'maven-by-host': {
    remote: 'https://repo1.maven.org',
    aliases: ['repo1.maven.org', 'repo.maven.apache.org'],
    allow: ['maven2/**'],
    ...(mavenCentral['maven-central']?.freshness && { freshness: mavenCentral['maven-central'].freshness }),
  },
}

/** `dist` and `download/release` have the same releases, in a directory for each version. */
export const nodejs: PresetRepositories = {
  nodejs: wholeHost(
    'nodejs.org',
    [
      { match: '{dist,download/release}/v*/**', maxAge: 'forever' },
      { match: '{dist,download}/**', maxAge: '1h' },
    ],
    ['dist/**', 'download/**'],
  ),
}

export const gradle: PresetRepositories = {
  'gradle-services': wholeHost(
    'services.gradle.org',
    [{ match: 'distributions/**', maxAge: 'forever' }],
    ['distributions/**'],
  ),
  'gradle-downloads': wholeHost(
    'downloads.gradle.org',
    [{ match: 'distributions/**', maxAge: 'forever' }],
    ['distributions/**'],
  ),
}

/** The installer of Clojure's command line. Paketo knows its checksum, so it is not rewritten. */
export const clojureDownloads: PresetRepositories = {
  'clojure-downloads': wholeHost(
    'download.clojure.org',
    [{ match: 'install/*-[0-9]*', maxAge: 'forever' }],
    ['install/**'],
  ),
}

/** Go as the Go project publishes it. */
export const goHosts: PresetRepositories = {
  'go-downloads': wholeHost('dl.google.com', [{ match: 'go/**', maxAge: 'forever' }], ['go/**']),
  'go-storage': wholeHost(
    'storage.googleapis.com',
    [{ match: archives, maxAge: 'forever' }],
    ['golang/**', 'google-code-archive-downloads/**', 'cloud-profiler/**'],
  ),
}

/** The other hosts that Paketo's dependencies come from. */
export const paketoHosts: PresetRepositories = {
  'paketo-artifacts': wholeHost('artifacts.paketo.io', [{ match: archives, maxAge: 'forever' }]),
  'paketo-deps': wholeHost('deps.paketo.io', [{ match: archives, maxAge: 'forever' }]),
  'bell-sw': wholeHost('download.bell-sw.com', [{ match: archives, maxAge: 'forever' }]),
  corretto: wholeHost('corretto.aws', [{ match: archives, maxAge: 'forever' }], ['downloads/resources/**']),
  dotnet: wholeHost('builds.dotnet.microsoft.com', [{ match: archives, maxAge: 'forever' }], ['dotnet/**']),
  azul: wholeHost('cdn.azul.com', [{ match: archives, maxAge: 'forever' }], ['zulu/**']),
  'go-dev': wholeHost('go.dev', [{ match: archives, maxAge: 'forever' }], ['dl/**']),
  'apache-archive': wholeHost('archive.apache.org', [{ match: archives, maxAge: 'forever' }], ['dist/**']),
  'apache-downloads': wholeHost('downloads.apache.org', [{ match: archives, maxAge: 'forever' }]),
  python: wholeHost('www.python.org', [{ match: archives, maxAge: 'forever' }], ['ftp/python/**']),
  'pypi-files': wholeHost('files.pythonhosted.org', [{ match: 'packages/**', maxAge: 'forever' }], ['packages/**']),
}
