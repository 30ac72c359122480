import { listOf, type Node, textOf, yamlOf } from './files.js'

export interface Expression {
  /** The panel or the rule. */
  readonly of: string
  readonly text: string
}

/** Every query of the dashboard, its variables filled in. */
export function dashboardExpressions(): Expression[] {
  const { panels, annotations } = JSON.parse(textOf('deploy/grafana/larder.json')) as Node
  const targets = listOf(panels).flatMap(({ title, targets }) => listOf(targets).map(({ expr }) => ({ title, expr })))
  const marks = listOf(annotations?.list).map(({ name, expr }) => ({ title: name, expr }))
  return [...targets, ...marks].map(({ title, expr }) => ({ of: String(title), text: filledIn(String(expr)) }))
}

const filledIn = (text: string): string =>
  text
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '1m')
    .replaceAll(/\$(job|instance|repository)/g, '.*')

const rules = (): readonly Node[] =>
  listOf(yamlOf('deploy/prometheus/alerts.yaml').groups).flatMap(({ rules }) => listOf(rules))

export const alertNames = (): string[] => rules().flatMap(({ alert }) => (alert === undefined ? [] : String(alert)))

export const ruleExpressions = (): Expression[] =>
  rules().map(({ alert, record, expr }) => ({ of: String(alert ?? record), text: String(expr) }))

/** The metrics of ours, or of the process, that an expression names; not what a rule records, which has a colon. */
export const metricsIn = ({ text }: Expression): ReadonlySet<string> =>
  new Set(text.match(/(?<![:\w])(?:larder|process|nodejs)_\w+/g))
