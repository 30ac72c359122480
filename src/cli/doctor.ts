import type { Finding } from '../buildpacks/doctor/finding.js'
import { judge } from '../buildpacks/doctor/judge.js'
import { ConfigError } from '../config/config-error.js'
import { type ProjectVariables, readProjectVariables } from '../config/project-variables.js'
import { chosenBuildpacks, chosenForm, configurationOf, givenUrl } from './project.js'
import { CommandFailed, json, NotUnderstood, printable, type Terminal } from './terminal.js'

export interface DoctorOptions {
  readonly for?: string
  readonly buildpack: readonly string[]
  readonly url?: string
  readonly json?: boolean
}

/** Says what is wrong with a project's variables. Throws `CommandFailed` where anything is, after listing it. */
export async function doctor(terminal: Terminal, file: string | undefined, options: DoctorOptions): Promise<void> {
  if (file === undefined) throw new NotUnderstood('no file is named, expected one with the variables of a project')
  const form = options.for === undefined ? undefined : chosenForm(options.for)
  const choices = chosenBuildpacks(options.buildpack)
  const given = givenUrl(options.url)
  const { variables, isGitLab } = projectVariables(file)
  const { publicUrl, publicHosts, repositories } = await configurationOf(terminal)
  const urls = [given, publicUrl].filter((url) => url !== undefined)
  // URLs name no port that is their scheme's own.
  const hosts = [...urls.map((url) => new URL(url).host), ...publicHosts.map((host) => host.replace(/:(80|443)$/, ''))]
  const url = urls[0] ?? (hosts[0] === undefined ? undefined : `https://${hosts[0]}`)
  if (url === undefined) {
    throw new NotUnderstood(
      'where do builds reach Larder? Say it with --url, or with publicUrl or publicHosts in repositories.yaml',
    )
  }
  const forwarding = form === undefined ? isGitLab : form === 'gitlab'
  const findings = judge(variables, { url, hosts, repositories, choices, forwarding })
  if (options.json) terminal.out(json({ file, findings }))
  else terminal.out(findings.length === 0 ? 'nothing wrong found\n' : report(file, findings))
  if (findings.length > 0) throw new CommandFailed(`${findings.length} found to be wrong`)
}

const report = (file: string, findings: readonly Finding[]) =>
  findings
    .map(({ line, variable, fault, expected }) => `${file}:${line}: ${variable} ${fault}; expected: ${expected}`)
    .map((text) => `${printable(text)}\n`)
    .join('')

function projectVariables(file: string): ProjectVariables {
  try {
    return readProjectVariables(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new NotUnderstood(error.message)
  }
}
