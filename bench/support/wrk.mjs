import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { start } from './processes.mjs'

const SCRIPT = join(import.meta.dirname, 'wrk.lua')

/**
 * @typedef {object} Load
 * @property {number} requests
 * @property {number} perSecond
 * @property {number} bytesPerSecond
 * @property {number} meanMs latency
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} cpuShare the client's own CPU seconds by the second; near 1 (its one thread), it is the limit
 */

/**
 * One run of wrk. With `prefix` every request asks for a cold key: the URL, then the prefix, then a number.
 *
 * @param {{ binary: string, url: string, connections: number, seconds: number, prefix?: string }} options
 * @returns {Promise<Load>}
 */
export async function wrk({ binary, url, connections, seconds, prefix }) {
  const command = [binary, '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', SCRIPT, url]
  if (prefix !== undefined) command.push('--', prefix)
  // The shell's `times` tells what CPU its ended children have used.
  const child = start('/bin/sh', ['-c', '"$@"; times', 'sh', ...command])
  const { stdout, stderr } = child.process
  if (stdout === null || stderr === null) throw new Error('wrk needs its output piped')
  const [output, faults] = await Promise.all([text(stdout), text(stderr), child.exited])
  const report = /^REPORT (.*)$/m.exec(output)?.[1]
  if (report === undefined) throw new Error(`wrk failed: ${output}${faults}`)
  const { requests, microseconds, bytes, errors, mean, p50, p99 } = JSON.parse(report)
  if (errors > 0 || requests === 0) throw new Error(`wrk: ${errors} of ${requests} requests to ${url} failed`)
  const elapsed = microseconds / 1e6
  return {
    requests,
    perSecond: requests / elapsed,
    bytesPerSecond: bytes / elapsed,
    meanMs: mean / 1e3,
    p50Ms: p50 / 1e3,
    p99Ms: p99 / 1e3,
    cpuShare: childrenCpu(output) / elapsed,
  }
}

/**
 * The last line of `times`: user and system time of the children, as `0m1.23s 0m4.56s`.
 *
 * @param {string} output
 */
function childrenCpu(output) {
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  return [...last.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0)
}
