import type { SourceKind } from '../warming/order.js'
import { type AddCommand, several, wholeNumber } from './api-command.js'
import type { PrewarmOptions } from './prewarm.js'
import type { Terminal } from './terminal.js'

/** Its `--version` is a filter: what stands behind a command is the command's. */
export function addPrewarmCommand(add: AddCommand, terminal: Terminal): void {
  const command = add(
    'prewarm [repository/path...]',
    'have artifacts ready before anybody asks; the server fetches them',
  )
    .option('-f, --file <file>', 'a prewarm.yaml')
    .option('--list <file>', 'a file with an artifact a line (- is standard input, as it is for an argument)', several)
  for (const [kind, description] of Object.entries(sourceDescriptions)) {
    command.option(`--${kind} <repository/path>`, description, several)
  }
  command
    .option('--entry <name>', 'name of the file, where --inventory or --buildpack names an archive')
    .option('--match <glob>', 'of what is listed, what fits this glob')
    .option('--version <version>', "of what is listed, these versions: 21.0.5, 21 or '21.*'", several)
    .option('--arch <name>', 'of what is listed, what is for this architecture (amd64, arm64)')
    .option('--stack <name>', 'of what is listed, what is for this stack (heroku-24)')
    .option('--latest <number>', 'of what is listed, so many newest versions of each --version', wholeNumber)
    .option('--concurrency <number>', 'downloads at a time (4)', wholeNumber)
    .option('--rate <size>', 'bytes a second for all of them, such as 20MiB')
    .option('--dry-run', 'list what would be asked for')
    .does<PrewarmOptions>(async (api, _, options, items) =>
      (await import('./prewarm.js')).prewarm(api, terminal, items, options),
    )
}

const sourceDescriptions: Readonly<Record<SourceKind, string>> = {
  inventory: 'what an inventory.json lists, or one in an archive such as jvm.tgz',
  shasums: 'what a SHASUMS file lists',
  maven: 'the versions of a Maven artifact, named by its directory',
  buildpack: 'the dependencies of a Paketo buildpack.toml, or of one in an archive',
  s3: 'what a bucket that may be listed holds, named by what its keys begin with',
}
