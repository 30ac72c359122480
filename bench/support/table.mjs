/**
 * @typedef {import('./figures.mjs').Figure} Figure
 * @typedef {import('./figures.mjs').Series} Series
 * @typedef {{ name: string, about: string, busyBefore: number, figures: Figure[], fault?: string }} Result `busyBefore`: cores
 *   others kept busy just before
 */

const BUSY = 0.15

/**
 * The results as text: medians, in brackets the least and the greatest round.
 *
 * @param {readonly Result[]} results
 * @param {string} subject what was measured beside nginx
 */
export function table(results, subject) {
  const headings = ['', subject, 'nginx', 'ratio', 'goal', '']
  const rows = results.flatMap(({ figures }) => figures.map(cells))
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)))
  /** @param {readonly string[]} row */
  const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
  return results
    .flatMap(({ name, about, busyBefore, figures, fault }) => [
      '',
      `${name}: ${about}`,
      ...(busyBefore > BUSY
        ? [`  (others kept ${busyBefore.toFixed(1)} cores busy: don't trust what is absolute here)`]
        : []),
      ...(fault === undefined
        ? [headings, ...figures.map(cells)].map((row) => line(row).join('  ').trimEnd())
        : [`FAILED: ${fault}`]),
    ])
    .join('\n')
}

/** @param {Figure} figure */
function cells(figure) {
  const { label, unit, digits = 0, larder, nginx, ratio, goal, reached } = figure
  return [
    `  ${label} (${unit})`,
    spread(larder, digits),
    spread(nginx, digits),
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
