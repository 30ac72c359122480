import { buildpackNames } from '../buildpacks/catalogue/buildpack.js'
import { type Choice, readChoice } from '../buildpacks/environment/choices.js'
import { type FormName, formNames, isFormName } from '../buildpacks/environment/forms.js'
import { ConfigError } from '../config/config-error.js'
import { type Config, loadConfig } from '../config/load.js'
import { remoteUrl } from '../config/names.js'
import { suggestion } from '../config/wording.js'
import { CommandFailed, NotUnderstood, type Terminal } from './terminal.js'

/* What `env` and `doctor` are told of a project. */

/** The repositories as configured here: no server is asked. Throws `CommandFailed`. */
export async function configurationOf({ env }: Terminal): Promise<Config> {
  try {
    return await loadConfig(env.LARDER_CONFIG || './repositories.yaml', env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new CommandFailed(`the configuration has faults (LARDER_CONFIG names the file)\n${error.message}`)
  }
}

/** Where builds reach Larder. Throws `NotUnderstood` for what is no URL. */
export function givenUrl(url: string | undefined): string | undefined {
  if (url === undefined) return undefined
  const { data, error } = remoteUrl.safeParse(url)
  if (data !== undefined) return data
  throw new NotUnderstood(`--url ${error?.issues[0]?.message ?? 'is not accepted, expected an http or https URL'}`)
}

export function chosenForm(name: string): FormName {
  if (isFormName(name)) return name
  throw new NotUnderstood(`--for: "${name}" is not known${suggestion(name, formNames)}, expected ${oneOf(formNames)}`)
}

export function chosenBuildpacks(texts: readonly string[]): readonly Choice[] {
  const choices = texts.map(choiceOf)
  const twice = choices.find(({ buildpack }, index) => choices.findIndex((one) => one.buildpack === buildpack) < index)
  if (twice) throw new NotUnderstood(`--buildpack: ${twice.buildpack} stands there twice, expected each once`)
  return choices
}

function choiceOf(text: string): Choice {
  const choice = readChoice(text)
  if ('buildpack' in choice) return choice
  if ('wanted' in choice) throw new NotUnderstood(`--buildpack: "${text}" is not accepted, expected ${choice.wanted}`)
  const { unknown } = choice
  const known = `${suggestion(unknown, buildpackNames)}, expected ${oneOf(buildpackNames)}`
  throw new NotUnderstood(`--buildpack: "${unknown}" is not in the catalogue${known}`)
}

export const oneOf = (names: readonly string[]): string => `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
