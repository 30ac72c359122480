import { type Command, InvalidArgumentError, Option } from 'commander'
import { type ApiClient, type Connection, connectApi } from './api-client.js'
import type { Terminal } from './terminal.js'

interface Output {
  readonly json?: boolean
}

export const jsonOption = () => new Option('--json', 'print JSON instead of a table')

type Action<O> = (api: ApiClient, words: string, options: O, all: readonly string[]) => Promise<void>

export type AddCommand = (usage: string, description: string) => ApiCommand

/** `before`: of an option that may be repeated, what stood before. */
type Parse = (text: string, before?: readonly string[]) => unknown

export interface ApiCommand {
  option(flags: string, description: string, parse?: Parse): ApiCommand
  /** `words`: the command's first argument, empty where it has none; `all` of them. */
  does<O extends Output>(action: Action<O>): void
}

/** A command that talks to a running server. */
export function addApiCommand(program: Command, terminal: Terminal, usage: string, description: string): ApiCommand {
  const command = program.command(usage).description(description)
  const added: ApiCommand = {
    option(flags, text, parse) {
      const read = parse && ((value: string, before: unknown) => parse(value, before as readonly string[] | undefined))
      if (read) command.option(flags, text, read)
      else command.option(flags, text)
      return added
    },
    does(action) {
      command
        .addOption(jsonOption())
        .option('--server <url>', 'the server to talk to')
        .option('--token-file <file>', 'a file with an admin token')
        .action(async () => {
          const options = command.opts<Connection & Output>()
          const api = connectApi(options, terminal)
          await action(api, command.args[0] ?? '', options as Parameters<typeof action>[2], command.args)
        })
    },
  }
  return added
}

/** An option that may be repeated. */
export const several = (text: string, before: readonly string[] = []) => [...before, text]

export function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number from 1 on.')
}
