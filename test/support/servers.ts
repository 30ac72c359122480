import { type ExecFileSyncOptions, execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program the tests run, and the Debian package that has it. */
const packages = {
  'redis-server': 'redis-server',
  nginx: 'nginx',
  curl: 'curl',
  wget: 'wget',
  git: 'git',
  openssl: 'openssl',
  zstd: 'zstd',
} as const

export type Program = keyof typeof packages

/** Where a program is; `undefined` if it isn't. */
export function find(program: string): string | undefined {
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
  try {
    execFileSync(program ?? apt, [...prefix, 'update', '-qq'], options)
    execFileSync(program ?? apt, [...prefix, 'install', '-y', '-qq', '--no-install-recommends', ...names], options)
  } catch {
    // `provide` says what is still missing.
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
