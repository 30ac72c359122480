import { newest } from '../buildpacks/catalogue/releases.js'
import { isStackName, type StackName, stackNames } from '../buildpacks/catalogue/stacks.js'
import type { Choice } from '../buildpacks/environment/choices.js'
import { inForm } from '../buildpacks/environment/forms.js'
import { planEnvironment } from '../buildpacks/environment/plan.js'
import { suggestion } from '../config/wording.js'
import { chosenBuildpacks, chosenForm, configurationOf, givenUrl, oneOf } from './project.js'
import { NotUnderstood, type Terminal } from './terminal.js'

export interface EnvOptions {
  readonly for: string
  readonly stack: string
  readonly buildpack: readonly string[]
  readonly url?: string
  readonly app?: string
}

/** What `pack` builds with. */
const cloudNative: readonly Choice[] = [{ buildpack: 'paketo', release: newest }]

/** Prints the variables that lead a build to Larder. */
export async function env(terminal: Terminal, options: EnvOptions): Promise<void> {
  const form = chosenForm(options.for)
  const stack = chosenStack(options.stack)
  const chosen = chosenBuildpacks(options.buildpack)
  const given = givenUrl(options.url)
  const { publicUrl, repositories } = await configurationOf(terminal)
  const url = given ?? publicUrl
  if (url === undefined) {
    throw new NotUnderstood('where do builds reach Larder? Say it with --url, or with publicUrl in repositories.yaml')
  }
  const choices = form === 'pack' && chosen.length === 0 ? cloudNative : chosen
  const plan = planEnvironment({ choices, stack, url, repositories })
  for (const warning of plan.warnings) terminal.err(`warning: ${warning}\n`)
  terminal.out(inForm(form, plan, { app: options.app ?? 'APP' }))
}

function chosenStack(name: string): StackName {
  if (isStackName(name)) return name
  throw new NotUnderstood(
    `--stack: "${name}" is not known${suggestion(name, stackNames)}, expected ${oneOf(stackNames)}`,
  )
}
