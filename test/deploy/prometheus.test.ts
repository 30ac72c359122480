import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { get } from '../support/http.js'
import { freePort } from '../support/redis.js'
import { find, missing, title } from '../support/servers.js'
import { noise, setStage, temporaryDirectory } from '../support/stage.js'
import { dashboardExpressions, type Expression } from './expressions.js'
import { inCheckout, listOf, type Node } from './files.js'

/** Queries that have nothing to tell of a server in good health. */
const silent =
  /retries|resumes|peer_fills|"s3"|integrity_failures|breaker_openings|evict|purged|damaged|redis_up|aborted|warm_|collapsed|changes\(/

/** It scrapes each second, once it has started. */
const patience = { timeout: 50_000, interval: 200 }

/** A real Prometheus with the configuration of `deploy/`, scraping the server each second; its URL. */
async function startPrometheus(target: string): Promise<string> {
  const home = await temporaryDirectory()
  await cp(inCheckout('deploy/prometheus'), home, { recursive: true })
  const config = join(home, 'prometheus.yml')
  const text = await readFile(config, 'utf8')
  await writeFile(config, text.replace('larder:8080', target).replaceAll('15s', '1s'))
  const address = `127.0.0.1:${await freePort()}`
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(home, 'data')}`,
    `--web.listen-address=${address}`,
  ]
  const child: ChildProcess = spawn(find('prometheus') ?? '', args, { stdio: 'ignore' })
  const gone = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await gone
  })
  return `http://${address}`
}

async function api(prometheus: string, path: string): Promise<Node> {
  const { body } = await get(`${prometheus}/api/v1/${path}`)
  return JSON.parse(body.toString()) as Node
}

const query = (prometheus: string, { text }: Pick<Expression, 'text'>) =>
  api(prometheus, `query?query=${encodeURIComponent(text)}`)

describe.skipIf(missing('prometheus').length > 0)(title('Prometheus', 'prometheus'), () => {
  it('O2: answers every query of the dashboard, and evaluates every rule', async () => {
    const { origin, larder, url } = await setStage()
    const prometheus = await startPrometheus(larder.url.replace('http://', ''))
    // Rates want two scrapes of a counter at least.
    const scrapes = { text: 'min(count_over_time(larder_upstream_requests_total[1m])) > 3' }
    origin.put('/a', noise(100_000))
    await vi.waitFor(async () => {
      for (const path of ['/a', '/absent', '/a?b']) await get(url(path))
      const { data } = await query(prometheus, scrapes)
      expect(listOf(data?.result)).not.toEqual([])
    }, patience)
    const faulty: unknown[] = []
    const empty: string[] = []
    for (const expression of dashboardExpressions()) {
      const { status, error, data } = await query(prometheus, expression)
      if (String(status) !== 'success') faulty.push({ ...expression, error })
      if (listOf(data?.result).length === 0 && !silent.test(expression.text))
        empty.push(`${expression.of}: ${expression.text}`)
    }
    expect({ faulty, empty }).toEqual({ faulty: [], empty: [] })
    await vi.waitFor(async () => {
      const { data } = await api(prometheus, 'rules')
      const rules = listOf(data?.groups).flatMap(({ rules }) => listOf(rules))
      expect(rules.length).toBeGreaterThan(10)
      expect(rules.filter(({ health }) => String(health) !== 'ok')).toEqual([])
    }, patience)
  }, 120_000)
})
