import { curve, mib, trend } from './memory.mjs'

/**
 * @typedef {import('./server.mjs').Descriptors} Descriptors
 * @typedef {import('./clients.mjs').Tally} Tally
 * @typedef {{ name: string, figure: string, holds: boolean }} Criterion
 *
 * @typedef {object} Findings
 * @property {string} title what was run
 * @property {Tally} count while it ran
 * @property {Tally} calm once all was well again
 * @property {readonly import('./memory.mjs').Sample[]} samples
 * @property {Descriptors} before
 * @property {Descriptors} after
 * @property {number} staged staging files left
 * @property {boolean} isSettled whether no fill is under way
 * @property {string} metrics
 * @property {number} refused calls to the API
 * @property {readonly string[]} faults of the server's own: what it logged as such, what is on stderr
 * @property {number | null} exitCode
 */

/**
 * @param {Findings} findings
 * @returns {Criterion[]}
 */
export function criteria({
  count,
  calm,
  samples,
  before,
  after,
  staged,
  isSettled,
  metrics,
  refused,
  faults,
  exitCode,
}) {
  const wrong = count.wrong.length + calm.wrong.length
  const unwell = calm.refused + calm.reset
  const evicted = sum(metrics, 'larder_evictions_total')
  const heap = trend(samples.map((sample) => sample.heap))
  const resident = trend(samples.map((sample) => sample.resident))
  return [
    { name: 'wrong bodies', figure: `${wrong}`, holds: wrong === 0 && count.right > 0 },
    { name: 'refused or reset when all is well again', figure: `${unwell}`, holds: unwell === 0 },
    ...leaks(before, after),
    { name: 'staging files', figure: `${staged}`, holds: staged === 0 },
    { name: 'fills in flight', figure: isSettled ? '0' : 'some', holds: isSettled },
    { name: 'heap, first and last third', figure: `${mib(heap.first)} ${mib(heap.last)}`, holds: heap.isFlat },
    { name: 'resident, likewise', figure: `${mib(resident.first)} ${mib(resident.last)}`, holds: resident.isFlat },
    { name: 'evictions', figure: `${evicted}`, holds: evicted > 0 },
    { name: 'calls to the API refused', figure: `${refused}`, holds: refused === 0 },
    { name: 'faults of its own', figure: `${faults.length}`, holds: faults.length === 0 },
    { name: 'exit code', figure: `${exitCode}`, holds: exitCode === 0 },
  ]
}

/**
 * @param {Descriptors} before
 * @param {Descriptors} after
 * @returns {Criterion[]}
 */
function leaks(before, after) {
  return /** @type {const} */ (['sockets', 'blobs', 'staging', 'others']).map((kind) => ({
    name: `descriptors at the start and at the end: ${kind}`,
    figure: `${before[kind]} ${after[kind]}`,
    holds: after[kind] <= before[kind],
  }))
}

/**
 * What a person reads.
 *
 * @param {Findings} findings
 * @param {readonly Criterion[]} table
 */
export function report({ title, count, calm, samples, before, after, metrics, faults }, table) {
  const total = (/** @type {string} */ name) => sum(metrics, name)
  const opened = after.names.filter((name) => !before.names.includes(name))
  const widths = [0, 1].map((i) => Math.max(...table.map(({ name, figure }) => [name, figure][i]?.length ?? 0)))
  return [
    curve(samples),
    '',
    `  ${title}: ${count.requests} requests, ${count.right} right to the last byte,`,
    `  ${count.refused} refused (5xx), ${count.reset} reset, ${count.left} left by the client;`,
    `  ${total('larder_resumes_total')} bodies resumed, ${total('larder_retries_total')} retries, ` +
      `${total('larder_evictions_total')} evictions, ${total('larder_config_reloads_total')} reloads`,
    '',
    ...[...count.wrong, ...calm.wrong].slice(0, 10).map((what) => `  WRONG ${what}`),
    ...(leaks(before, after).every(({ holds }) => holds) ? [] : [`  opened since the start: ${opened.join('; ')}`]),
    ...faults.map((fault) => `  FAULT ${fault}`),
    ...table.map(
      ({ name, figure, holds }) =>
        `  ${name.padEnd(widths[0] ?? 0)}  ${figure.padStart(widths[1] ?? 0)}  ${holds ? 'ok' : 'FAILED'}`,
    ),
  ].join('\n')
}

/**
 * @param {string} metrics
 * @param {string} name
 */
export function sum(metrics, name) {
  const samples = metrics.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  return samples.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
