import { Command, CommanderError } from 'commander'
import { type AddCommand, type ApiCommand, addApiCommand, jsonOption, several, wholeNumber } from './api-command.js'
import { type ExportOptions, exportArchive, type ImportOptions, importArchive } from './archive.js'
import * as artifacts from './artifacts.js'
import { explain } from './explain.js'
import { addPrewarmCommand } from './prewarm-command.js'
import { addProjectCommands } from './project-commands.js'
import * as repositories from './repositories.js'
import * as tasks from './tasks.js'
import { CommandFailed, type Terminal } from './terminal.js'

/** Runs a command to its end; returns the exit code: 0, 1 it failed, 2 it was not understood. */
export async function runCommand(argv: readonly string[], version: string, terminal: Terminal): Promise<number> {
  const program = buildProgram(version, terminal)
  try {
    // Not commander's default command: that would take a misspelt one for an argument of `serve`.
    await program.parseAsync(argv.length === 0 ? ['serve'] : [...argv], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!(error instanceof CommandFailed)) throw error
    terminal.err(`larder: ${error.message}\n`)
    return error.exitCode
  }
}

const manual = `
Without a command it serves. Commands other than serve, check, env and doctor talk to a running server:
  --server names it, or LARDER_SERVER (http://127.0.0.1:8080 otherwise);
  --token-file names a file with an admin token, or LARDER_TOKEN_FILE. Otherwise it is taken from where
  the server has it (LARDER_ADMIN_TOKEN_FILE, LARDER_DATA/admin-token): on its own host nothing needs to be said.

Artifacts are named as in their URL, behind /repository/:
  larder ls lang-jvm/jdk/                       what is stored below jdk/
  larder stat lang-jvm/jdk/heroku-22/openjdk17.tar.gz
  larder explain https://lang-jvm.s3.amazonaws.com/jdk/heroku-22/openjdk17.tar.gz
  larder purge --soft buildpack-registry/buildpacks/heroku/jvm.tgz
  larder purge --glob 'lang-jvm/jdk/**/zulu-*'  quotes keep the shell away from it
  larder export --repository lang-jvm > jvm.tar, and larder import < jvm.tar on another server
  larder prewarm 'lang-jvm/jdk/heroku-24/openjdk{17,21}.tar.gz'

Projects are led here by variables:
  larder env --for gitlab --buildpack gradle@v49 --url https://larder.example.com
  larder doctor .env

Exit codes: 0 done, 1 failed (verify: damage was found, doctor: something is wrong), 2 not understood.`

function buildProgram(version: string, terminal: Terminal): Command {
  const program = new Command('larder')
    .description('A caching proxy for the artifacts buildpacks download.')
    .version(version)
    .helpOption('-h, --help', 'say how it is used')
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showHelpAfterError('(larder --help, or larder <command> --help, says how it is used)')
    .exitOverride()
    .enablePositionalOptions()
    .addHelpText('after', manual)
  addLocalCommands(program, version, terminal)
  addProjectCommands(program, terminal)
  const api: AddCommand = (usage, description) => addApiCommand(program, terminal, usage, description)
  addArtifactCommands(api, terminal)
  addRepositoryCommands(api, terminal)
  addTaskCommands(api, terminal)
  addArchiveCommands(api, terminal)
  addPrewarmCommand(api, terminal)
  return program
}

/** What runs here; what it needs is loaded when it is asked for, for it is most of a start. */
function addLocalCommands(program: Command, version: string, terminal: Terminal): void {
  program
    .command('serve')
    .description('serve the repositories of repositories.yaml; settings come from the environment')
    .action(async () => (await import('./serve.js')).serve(version))
  program
    .command('check')
    .description('validate the environment and repositories.yaml without starting anything')
    .option('--remotes', 'ask every remote, too: name look-up, TLS, status, redirects, latency, ranges')
    .option(
      '--path <repository/path>',
      'ask for this artifact instead of the top of its remote; may be repeated',
      several,
      [],
    )
    .addOption(jsonOption())
    .action(async (options) => (await import('./check.js')).check(terminal, options))
}

const ways = (command: ApiCommand) =>
  command
    .option('--prefix', 'take it for what paths begin with')
    .option('--glob', 'take it for a glob over paths')
    .option('--all', 'the whole repository')

function addArtifactCommands(add: AddCommand, terminal: Terminal): void {
  add('ls [repository/prefix]', 'list what is stored: all of it, or what begins so')
    .option('--glob', 'take it for a glob over paths')
    .option('--limit <number>', 'list no more than so many', wholeNumber)
    .does<artifacts.ListOptions>((api, words, options) => artifacts.list(api, terminal, words, options))
  add('stat <repository/path>', 'show what is stored of an artifact: sizes, digests, times, freshness').does(
    (api, words, { json }) => artifacts.stat(api, terminal, words, json === true),
  )
  add('explain <artifact>', 'say why an artifact is served as it is, and what a request for it would come to').does(
    (api, words, { json }) => explain(api, terminal, words, json === true),
  )
  ways(add('purge <repository/path>', 'remove artifacts'))
    .option('--soft', 'keep them for when the remote is down, but validate them before their next use')
    .does<artifacts.PurgeOptions>((api, words, options) => artifacts.purge(api, terminal, words, options))
  ways(
    add('pin <repository/path>', 'keep artifacts, those to come included, from being evicted'),
  ).does<artifacts.PinOptions>((api, words, options) => artifacts.pin(api, terminal, words, options))
  ways(add('unpin <repository/path>', 'take a pin back, named as it was set')).does<artifacts.PinOptions>(
    (api, words, options) => artifacts.unpin(api, terminal, words, options),
  )
  add('pins', 'list all pins').does((api, _, { json }) => artifacts.listPins(api, terminal, json === true))
}

function addArchiveCommands(add: AddCommand, terminal: Terminal): void {
  add('export', 'write what is stored to standard output, as a tar that import understands')
    .option('--repository <name>', 'of this repository')
    .option('--prefix <prefix>', 'what paths begin with')
    .option('--glob <glob>', 'over paths')
    .does<ExportOptions>((api, _, options) => exportArchive(api, terminal, options))
  add('import', 'store what an exported tar on standard input has, but for what is stored newer')
    .option('--force', 'replace what is stored newer, too')
    .does<ImportOptions>((api, _, options) => importArchive(api, terminal, options))
}

function addRepositoryCommands(add: AddCommand, terminal: Terminal): void {
  add('repositories', 'list the repositories: what is stored of them, their remotes and breakers').does(
    (api, _, { json }) => repositories.repositories(api, terminal, json === true),
  )
  add('stats', 'show requests by outcome, hit rates and bytes since the start of the server').does((api, _, { json }) =>
    repositories.stats(api, terminal, json === true),
  )
  const changes = [
    ['block <repository>', 'block', 'ask its remotes nothing, serve what is stored; until a reload or restart'],
    ['unblock <repository>', 'unblock', 'ask its remotes again; until a reload or restart'],
    ['reset-breaker <repository>', 'breaker/reset', 'ask its remotes again at once after they failed'],
  ] as const
  for (const [usage, action, description] of changes) {
    add(usage, description).does((api, repository, { json }) =>
      repositories.change(api, terminal, { repository, action, asJson: json === true }),
    )
  }
}

function addTaskCommands(add: AddCommand, terminal: Terminal): void {
  add('verify', 'read every stored body again, compare it with its digest, and drop what is damaged')
    .option('--rate <size>', 'read no more than this a second, such as 20MiB')
    .does<tasks.VerifyOptions>((api, _, options) => tasks.verify(api, terminal, options))
  add('gc', 'remove files that nothing refers to').does((api, _, { json }) => tasks.gc(api, terminal, json === true))
}
