import { forwardedNames } from '../catalogue/variables.js'
import type { Plan, Setting } from './plan.js'

/** For whom the variables are written. */
export const formNames = ['gitlab', 'dokku', 'shell', 'dotenv', 'pack'] as const

export type FormName = (typeof formNames)[number]

export const isFormName = (name: string): name is FormName => formNames.some((form) => form === name)

interface Details {
  /** The name of the app, for Dokku. */
  readonly app: string
}

/** The variables as `form` wants them, with the warnings as comments where it has comments. */
export const inForm = (form: FormName, plan: Plan, details: Details): string => forms[form](plan, details)

const forms: Readonly<Record<FormName, (plan: Plan, details: Details) => string>> = {
  gitlab: ({ settings, warnings }) => {
    const lines = withForwarded(settings).map(({ name, value }) => `  ${name}: ${yamlText(value)}\n`)
    return `${comments(warnings)}variables:${lines.length === 0 ? ' {}\n' : `\n${lines.join('')}`}`
  },
  dokku: ({ settings, warnings }, { app }) =>
    comments(warnings) +
    (settings.length === 0
      ? ''
      : `${[`dokku config:set --no-restart ${shellWord(app)}`, ...settings.map(assignment)].join(' \\\n  ')}\n`),
  shell: ({ settings, warnings }) =>
    comments(warnings) + settings.map(({ name, value }) => `export ${name}=${quoted(value)}\n`).join(''),
  dotenv: ({ settings, warnings }) =>
    comments(warnings) + settings.map((setting) => `${assignment(setting)}\n`).join(''),
  // One line without comments: it is made to stand inside a command, also as $(larder env ...).
  pack: ({ settings }) =>
    settings
      .map((setting) => `--env ${assignment(setting)}`)
      .join(' ')
      .concat('\n'),
}

const comments = (warnings: readonly string[]) => warnings.map((warning) => `# ${warning}\n`).join('')

/** GitLab gives a build what is named here alone; `BUILDPACK_URL` it looks at itself. */
function withForwarded(settings: readonly Setting[]): readonly Setting[] {
  const names = settings.map(({ name }) => name).filter((name) => isForwarded(name))
  return names.length === 0 ? settings : [...settings, { name: forwardedNames, value: names.join(',') }]
}

/** Whether a variable reaches a build of GitLab only where it is named to be forwarded. */
export const isForwarded = (name: string): boolean => name !== 'BUILDPACK_URL'

const assignment = ({ name, value }: Setting) => `${name}=${shellWord(value)}`

/** As it is where no shell makes anything else of it. */
const shellWord = (text: string) =>
  /^[\w.:/@%+,{}-]+$/.test(text) && !/\{[^}]*(,|\.\.)/.test(text) ? text : quoted(text)

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** JSON is YAML; GitLab takes `$` for the beginning of a variable. */
const yamlText = (text: string) => JSON.stringify(text.replaceAll('$', '$$$$'))
