import type { Command } from 'commander'
import { jsonOption, several } from './api-command.js'
import type { Terminal } from './terminal.js'

/** What helps to set a project up. Runs here, by repositories.yaml; what it needs is loaded when it is asked for. */
export function addProjectCommands(program: Command, terminal: Terminal): void {
  const command = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option(
        '--buildpack <name@version>',
        'what the project is built with, such as gradle@v49; may be repeated',
        several,
        [],
      )
      .option('--url <url>', 'where builds reach Larder, instead of publicUrl of repositories.yaml')
  command('env', 'print the variables that lead a build to Larder')
    .requiredOption('--for <form>', 'whom they are written for: gitlab, dokku, shell, dotenv or pack')
    .option('--stack <stack>', 'the base image of the build', 'heroku-24')
    .option('--app <name>', 'the name of the app, for dokku')
    .action(async (options) => (await import('./env.js')).env(terminal, options))
  command('doctor', "say what is wrong with a project's variables")
    .argument('[file]', 'its variables: dotenv, export lines, GitLab YAML, or JSON of the GitLab API')
    .option('--env-file <file>', 'the same')
    .option('--for <form>', 'where they are set, if the file does not tell: gitlab looks at what is forwarded')
    .addOption(jsonOption())
    .action(async (file, options) => (await import('./doctor.js')).doctor(terminal, file ?? options.envFile, options))
}
