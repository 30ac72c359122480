import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Run, run } from '../support/http.js'

export interface Build extends Run {
  /** What a file below the application has; `undefined` if there is none. */
  file(path: string): Promise<Buffer | undefined>
  /** What a program below the application says; why it can't be run where it says nothing. */
  says(path: string): Promise<string>
}

export interface BuildOptions {
  /** Bash; begins in an empty directory, the application is in `app`. */
  readonly script: string
  /** Files of the application. */
  readonly app: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  /** Path of the authority that is trusted, and no other. */
  readonly ca: string
  /** URL of the proxy that is the way to anything else than this machine; without it there is none. */
  readonly proxy?: string
}

/** Where every attempt to reach something else than this machine ends, at once and with an error. */
const nowhere = 'http://127.0.0.1:9'

export const isolated = (proxy: string) => ({
  ...{ https_proxy: proxy, http_proxy: proxy, HTTPS_PROXY: proxy, all_proxy: proxy, no_proxy: '127.0.0.1' },
  ...{ GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' },
})

/** Runs a build on a machine that reaches nothing but what listens on its own loopback address. */
export async function build({ script, app, env, ca, proxy = nowhere }: BuildOptions): Promise<Build> {
  const home = await mkdtemp(join(tmpdir(), 'larder-build-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  for (const [path, text] of Object.entries({ ...app, '../tmp/.keep': '' })) {
    await mkdir(dirname(join(home, 'app', path)), { recursive: true })
    await writeFile(join(home, 'app', path), text)
  }
  const trust = { CURL_CA_BUNDLE: ca, GIT_SSL_CAINFO: ca, SSL_CERT_FILE: ca }
  const all = { ...isolated(proxy), ...trust, HOME: home, TMPDIR: join(home, 'tmp'), STACK: 'heroku-24', ...env }
  const ran = await run('bash', ['-o', 'pipefail', '-c', script], home, all)
  const below = (path: string) => join(home, 'app', path)
  return {
    ...ran,
    file: (path) => readFile(below(path)).catch(() => undefined),
    says: async (path) => run(below(path), []).then(({ stdout }) => stdout.toString(), String),
  }
}

/** What herokuish does with BUILDPACK_URL: a Git repository first, then an archive. */
export const herokuish = `
  if git ls-remote "$BUILDPACK_URL" &>/dev/null; then exit 99; fi
  mkdir -p custom
  curl -s --retry 2 "$BUILDPACK_URL" | tar -xzC custom
  custom/bin/detect "$PWD/app" && custom/bin/compile "$PWD/app" "$PWD/cache" "$PWD/env"`

/** What the buildpack for several does with each line of .buildpacks: archives are what ends in .tgz, all else is Git's. */
export const multi = `
  for url in $(cat app/.buildpacks); do
    dir="$(mktemp -d)"
    if [[ "$url" =~ \\.tgz$ ]] || [[ "$url" =~ \\.tgz\\? ]]; then curl -s "$url" | tar xvz -C "$dir" > /dev/null 2>&1
    else git clone "$url" "$dir"; fi
    "$dir/bin/detect" "$PWD/app" && "$dir/bin/compile" "$PWD/app" "$PWD/cache" "$PWD/env"
  done`

/** What whoever installs a release of a buildpack does with its source archive. */
export const pinned = `
  mkdir -p custom
  curl --fail --location --silent --show-error --retry 3 "$BUILDPACK_URL" | tar -xz --strip-components=1 -C custom
  custom/bin/detect "$PWD/app" && custom/bin/compile "$PWD/app" "$PWD/cache" "$PWD/env"`
