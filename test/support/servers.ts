import { type ExecFileSyncOptions, execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

/** A program the tests run, or another file they need, and the Debian package that has it. */
const packages = {
  'redis-server': 'redis-server',
  nginx: 'nginx',
  curl: 'curl',
  wget: 'wget',
  git: 'git',
  openssl: 'openssl',
  zstd: 'zstd',
  squid: 'squid',
  'ceph-mon': 'ceph-mon',
  'ceph-mgr': 'ceph-mgr',
  'ceph-osd': 'ceph-osd',
  radosgw: 'radosgw',
  ceph: 'ceph-common',
  promtool: 'prometheus',
  prometheus: 'prometheus',
  haproxy: 'haproxy',
  jq: 'jq',
  zip: 'zip',
  unzip: 'unzip',
  '/usr/lib/nginx/modules/ngx_stream_module.so': 'libnginx-mod-stream',
  'systemd-analyze': 'systemd',
} as const

export type Program = keyof typeof packages

/** Where a program is; `undefined` if it isn't. */
export function find(program: string): string | undefined {
  if (isAbsolute(program)) return existsSync(program) ? program : undefined
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return directories.map((directory) => join(directory, program)).find(isExecutable)
}

/** The programs of these that are missing. */
export const missing = (...programs: Program[]): Program[] => programs.filter((program) => !find(program))

/** A suite's title, with the reason where it is left out: `describe.skipIf(missing('git').length > 0)(title('Git', 'git'), ...)`. */
export function title(name: string, ...programs: Program[]): string {
  const absent = missing(...programs)
  return absent.length === 0 ? name : `${name} (left out: no ${absent.join(', ')} on this machine)`
}

/** Gets what is missing from Debian, where that may be done; says loudly what stays missing. Once per test run. */
export function provide(): void {
  const absent = missing(...(Object.keys(packages) as Program[])).filter(
    (program) => program !== 'redis-server' || process.env.LARDER_TEST_REDIS_URL === undefined,
  )
  if (absent.length > 0) install(absent.map((program) => packages[program]))
  for (const program of absent.filter((program) => !find(program))) {
    process.stderr.write(
      `\n!!! ${program} is missing and could not be installed (Debian: apt-get install ${packages[program]}).` +
        ` The suites that need it are LEFT OUT.\n\n`,
    )
  }
}

function install(names: readonly string[]): void {
  const apt = find('apt-get')
  const sudo = find('sudo')
  const root = process.getuid?.() === 0
  if (!apt || !(root || sudo)) return
  const [program, ...prefix] = root ? [apt] : [sudo ?? '', '-n', apt]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options: ExecFileSyncOptions = { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 240_000 }
  const run = (...args: string[]) => {
    try {
      execFileSync(program ?? apt, [...prefix, ...args], options)
    } catch {
      // `provide` says what is still missing.
    }
  }
  run('update', '-qq')
  // One by one: where a distribution lacks one, the others are to come all the same.
  for (const name of new Set(names)) run('install', '-y', '-qq', '--no-install-recommends', name)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
