import type { Buildpack, BuildpackName } from './buildpack.js'
import { jvmArchive, jvmBuildpacks } from './jvm-buildpacks.js'

/** What each family of buildpacks downloads, and what leads that elsewhere. */
export const buildpacks: Readonly<Record<BuildpackName, Buildpack>> = {
  ...jvmBuildpacks,
  ruby: {
    source: 'heroku/heroku-buildpack-ruby',
    published: 'buildpacks/heroku/ruby.tgz',
    downloads: [
      {
        what: 'Ruby',
        url: 'https://heroku-buildpack-ruby.s3.us-east-1.amazonaws.com/STACK/ruby-VERSION.tgz',
        repositories: ['heroku-buildpack-ruby'],
        variable: 'BUILDPACK_VENDOR_URL',
      },
      {
        what: 'Ruby for the buildpack itself',
        url: 'https://heroku-buildpack-ruby.s3.us-east-1.amazonaws.com/STACK/ruby-VERSION.tgz',
        repositories: ['heroku-buildpack-ruby'],
        writtenIn: 'bin/support/*, buildpack.toml',
      },
      {
        what: 'jvm-common, for JRuby',
        url: jvmArchive.url,
        repositories: ['buildpack-registry'],
        writtenIn: 'lib/**',
      },
      {
        what: 'Node and Yarn',
        url: 'https://heroku-nodebin.s3.us-east-1.amazonaws.com/node/release/linux-x64/node-vVERSION-linux-x64.tar.gz',
        repositories: ['heroku-nodebin', 'nodejs'],
        writtenIn: 'lib/**',
      },
    ],
  },
  nodejs: {
    source: 'heroku/heroku-buildpack-nodejs',
    published: 'buildpacks/heroku/nodejs.tgz',
    downloads: [
      {
        what: 'Node',
        url: 'https://nodejs.org/download/release/vVERSION/node-vVERSION-linux-x64.tar.gz',
        repositories: ['nodejs', 'heroku-nodebin'],
        writtenIn: 'inventory/node.toml',
      },
    ],
  },
  python: {
    source: 'heroku/heroku-buildpack-python',
    published: 'buildpacks/heroku/python.tgz',
    downloads: [
      {
        what: 'Python',
        url: 'https://heroku-buildpack-python.s3.us-east-1.amazonaws.com/python-VERSION-ubuntu-VERSION-amd64.tar.zst',
        repositories: ['heroku-buildpack-python'],
        since: 182,
        until: 301,
        variable: 'BUILDPACK_S3_BASE_URL',
      },
      {
        what: 'Python',
        url: 'https://heroku-buildpack-python.s3.us-east-1.amazonaws.com/python-VERSION-ubuntu-VERSION-amd64.tar.zst',
        repositories: ['heroku-buildpack-python'],
        since: 302,
        writtenIn: 'lib/python.sh',
      },
      {
        what: 'uv, for projects with uv.lock',
        url: 'https://github.com/astral-sh/uv/releases/download/VERSION/uv-x86_64-unknown-linux-gnu.tar.gz',
        repositories: ['github'],
        writtenIn: 'lib/uv.sh',
      },
    ],
  },
  go: {
    source: 'heroku/heroku-buildpack-go',
    published: 'buildpacks/heroku/go.tgz',
    downloads: [
      {
        what: 'Go and its tools',
        url: 'https://heroku-golang-prod.s3.us-east-1.amazonaws.com/goVERSION.linux-amd64.tar.gz',
        repositories: ['heroku-golang-prod'],
        until: 225,
        variable: 'GO_BUCKET_URL',
      },
      {
        what: 'Go',
        url: 'https://dl.google.com/go/goVERSION.linux-amd64.tar.gz',
        repositories: ['go-downloads', 'go-storage', 'github'],
        since: 226,
        writtenIn: 'files.json',
      },
    ],
  },
  php: {
    source: 'heroku/heroku-buildpack-php',
    published: 'buildpacks/heroku/php.tgz',
    downloads: [
      {
        what: 'PHP, extensions, Apache, Nginx',
        url: 'https://lang-php.s3.us-east-1.amazonaws.com/dist-STACK-stable/packages.json',
        repositories: ['lang-php'],
        variable: 'HEROKU_PHP_PLATFORM_REPOSITORIES',
      },
      {
        what: 'PHP and Composer for the buildpack itself',
        url: 'https://lang-php.s3.us-east-1.amazonaws.com/dist-STACK-stable/php-min-VERSION.tar.gz',
        repositories: ['lang-php'],
        writtenIn: 'bin/compile',
      },
    ],
  },
  paketo: {
    downloads: [
      {
        what: 'JDKs, .NET, Node, Python, Go, build tools',
        url: 'https://HOST/PATH',
        repositories: ['github', 'paketo-artifacts', 'paketo-deps', 'nodejs', 'maven-by-host'],
        variable: 'BP_DEPENDENCY_MIRROR',
      },
    ],
  },
}
