/**
 * What a bench measures. A goal is either on the ratio of the medians (Larder by nginx) or on Larder's median itself.
 *
 * @typedef {{ of: 'ratio' | 'larder', atLeast: number } | { of: 'ratio' | 'larder', atMost: number }} Goal
 * @typedef {{ label: string, unit: string, digits?: number, goal?: Goal }} Definition
 * @typedef {{ median: number, min: number, max: number, samples: number[] }} Series
 * @typedef {Definition & { key: string, larder?: Series, nginx?: Series, ratio?: number, reached?: boolean }} Figure
 *
 * @typedef {object} Bench
 * @property {string} name
 * @property {string} about
 * @property {Record<string, Definition>} figures
 * @property {(stage: import('./stage.mjs').Stage) => Promise<void>} run
 */

/**
 * Collects the samples of one bench; one sample a round and side.
 *
 * @param {Record<string, Definition>} definitions
 */
export function collect(definitions) {
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
     * @param {string} side `larder` or `nginx`
     * @param {Record<string, number>} values by the keys of the definitions
     */
    record(side, values) {
      for (const [key, value] of Object.entries(values)) {
        if (definitions[key] === undefined || !Number.isFinite(value)) throw new Error(`no figure: ${key} = ${value}`)
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
          larder: series('larder', key),
          nginx: series('nginx', key),
        }))
        .filter(({ larder, nginx }) => larder !== undefined || nginx !== undefined)
        .map(judged)
    },
  }
}

/**
 * @param {Definition & { key: string, larder: Series | undefined, nginx: Series | undefined }} figure
 * @returns {Figure}
 */
function judged({ larder, nginx, ...figure }) {
  const ratio = larder && nginx && nginx.median > 0 ? larder.median / nginx.median : undefined
  const judgedBy = figure.goal?.of === 'ratio' ? ratio : larder?.median
  const reached = figure.goal && judgedBy !== undefined ? meets(judgedBy, figure.goal) : undefined
  return {
    ...figure,
    ...(larder && { larder }),
    ...(nginx && { nginx }),
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
