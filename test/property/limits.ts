import type { Parameters } from 'fast-check'

/**
 * How long a property is tried. `LARDER_PROPERTY_RUNS` multiplies the runs, `LARDER_PROPERTY_SEED` and `LARDER_PROPERTY_PATH`
 * replay a failure with what it printed. `seconds` ends it on a slow machine, after fewer runs.
 */
export function limits(runs: number, seconds: number): Parameters<unknown> {
  const { LARDER_PROPERTY_RUNS: times, LARDER_PROPERTY_SEED: seed, LARDER_PROPERTY_PATH: path } = process.env
  const factor = Number(times ?? 1)
  return {
    numRuns: Math.ceil(runs * factor),
    interruptAfterTimeLimit: seconds * 1000 * Math.max(1, factor),
    ...(seed !== undefined && { seed: Number(seed) }),
    ...(path !== undefined && { path, endOnFailure: true }),
  }
}

/** Milliseconds after which a run that should take a tenth of a second counts as hanging. */
export const hanging = 15_000

/** For a test whose property is tried for so many seconds: time to say what failed is on top. */
export const testTimeout = (seconds: number): number => (limits(1, seconds).interruptAfterTimeLimit ?? 0) + 8 * hanging
