/**
 * @typedef {import('./figures.mjs').Figure} Figure
 * @typedef {import('./figures.mjs').Series} Series
 * @typedef {import('./figures.mjs').Sides} Sides
 * @typedef {{ name: string, about: string, sides: Sides, busyBefore: number, figures: Figure[], fault?: string, leftOut?: string }} Result
 *   `busyBefore`: cores others kept busy just before; `leftOut`: why it was not tried
 */

const BUSY = 0.15

/**
 * The results as text: medians, in brackets the least and the greatest round.
 *
 * @param {readonly Result[]} results
 */
export function table(results) {
  const rows = results.flatMap(({ sides, figures }) => [headings(sides), ...figures.map(cells)])
  const widths = headings(['', '']).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  /** @param {readonly string[]} row */
  const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
  return results
    .flatMap(({ name, about, sides, busyBefore, figures, fault, leftOut }) => [
      '',
      `${name}: ${about}`,
      ...(busyBefore > BUSY
        ? [`  (others kept ${busyBefore.toFixed(1)} cores busy: don't trust what is absolute here)`]
        : []),
      ...(fault !== undefined
        ? [`FAILED: ${fault}`]
        : leftOut !== undefined
          ? [`left out: ${leftOut}`]
          : [headings(sides), ...figures.map(cells)].map((row) => line(row).join('  ').trimEnd())),
    ])
    .join('\n')
}

/** @param {Sides} sides */
const headings = ([subject, baseline]) => ['', subject, baseline, 'ratio', 'goal', '']

/** @param {Figure} figure */
function cells(figure) {
  const { label, unit, digits = 0, subject, baseline, ratio, goal, reached } = figure
  return [
    `  ${label} (${unit})`,
    spread(subject, digits),
    spread(baseline, digits),
    ratio === undefined ? '' : ratio.toFixed(2),
    goal === undefined
      ? ''
      : `${goal.of === 'ratio' ? 'ratio ' : ''}${'atLeast' in goal ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`}`,
    reached === undefined ? '' : reached ? 'reached' : 'NOT REACHED',
  ]
}

/**
 * @param {Series | undefined} series
 * @param {number} digits
 */
function spread(series, digits) {
  if (series === undefined) return ''
  const { median, min, max } = series
  return `${median.toFixed(digits)} [${min.toFixed(digits)}..${max.toFixed(digits)}]`
}
