/**
 * What a bench measures. A goal is either on the ratio of the medians (Larder by nginx) or on Larder's median itself.
 * A bench that compares other things names them: `sides`, of which the first is divided by the second.
 *
 * @typedef {{ of: 'ratio' | 'larder', atLeast: number } | { of: 'ratio' | 'larder', atMost: number }} Goal
 * @typedef {{ label: string, unit: string, digits?: number, goal?: Goal }} Definition
 * @typedef {{ median: number, min: number, max: number, samples: number[] }} Series
 * @typedef {Definition & { key: string, subject?: Series, baseline?: Series, ratio?: number, reached?: boolean }} Figure
 * @typedef {readonly [subject: string, baseline: string]} Sides
 *
 * @typedef {object} Bench
 * @property {string} name
 * @property {string} about
 * @property {Record<string, Definition>} figures
 * @property {Sides} [sides] Larder and nginx unless given
 * @property {readonly string[]} [needs] programs beside nginx and wrk, without which it is left out
 * @property {(stage: import('./stage.mjs').Stage) => Promise<void>} run
 */

/** @type {Sides} */
export const larderAndNginx = ['larder', 'nginx']

/**
 * Collects the samples of one bench; one sample a round and side.
 *
 * @param {Record<string, Definition>} definitions
 * @param {Sides} [sides]
 */
export function collect(definitions, [subject, baseline] = larderAndNginx) {
  /** @type {Map<string, number[]>} */
  const samples = new Map()

  /**
   * @param {string} side
   * @param {string} key
   */
  const series = (side, key) => {
    const taken = samples.get(`${side} ${key}`)
    return taken === undefined ? undefined : summary(taken)
  }

  return {
    /**
     * @param {string} side one of the two
     * @param {Record<string, number>} values by the keys of the definitions
     */
    record(side, values) {
      for (const [key, value] of Object.entries(values)) {
        const isOne = side === subject || side === baseline
        if (!isOne || definitions[key] === undefined || !Number.isFinite(value))
          throw new Error(`no figure: ${key} = ${value}`)
        const id = `${side} ${key}`
        samples.set(id, [...(samples.get(id) ?? []), value])
      }
    },
    /** @returns {Figure[]} those that were measured */
    figures() {
      return Object.entries(definitions)
        .map(([key, definition]) => ({
          ...definition,
          key,
          subject: series(subject, key),
          baseline: series(baseline, key),
        }))
        .filter((figure) => figure.subject !== undefined || figure.baseline !== undefined)
        .map(judged)
    },
  }
}

/**
 * @param {Definition & { key: string, subject: Series | undefined, baseline: Series | undefined }} figure
 * @returns {Figure}
 */
function judged({ subject, baseline, ...figure }) {
  const ratio = subject && baseline && baseline.median > 0 ? subject.median / baseline.median : undefined
  const judgedBy = figure.goal?.of === 'ratio' ? ratio : subject?.median
  const reached = figure.goal && judgedBy !== undefined ? meets(judgedBy, figure.goal) : undefined
  return {
    ...figure,
    ...(subject && { subject }),
    ...(baseline && { baseline }),
    ...(ratio !== undefined && { ratio }),
    ...(reached !== undefined && { reached }),
  }
}

/**
 * @param {number} value
 * @param {Goal} goal
 */
function meets(value, goal) {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}

/**
 * @param {readonly number[]} samples at least one
 * @returns {Series}
 */
function summary(samples) {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples: [...samples] }
}

/** @param {readonly number[]} numbers at least one */
function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  if (low === undefined || high === undefined) throw new Error('no median of nothing')
  return (low + high) / 2
}
