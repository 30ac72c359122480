import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { bash, get } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { closeStage, openStage, temporaryDirectory } from '../support/stage.js'
import { dashboardExpressions, metricsIn, ruleExpressions } from './expressions.js'

/** What a server tells that has answered a few requests. */
let scrape = ''
beforeAll(async () => {
  const stage = await openStage()
  stage.origin.put('/a', 'a')
  for (const path of ['/a', '/a', '/absent']) await get(stage.url(path))
  scrape = (await get(`${stage.larder.url}/metrics`)).body.toString()
  await closeStage(stage)
})

/** The names a query may use: those of the metrics, and of a histogram's series. */
function namesInScrape(): ReadonlySet<string> {
  const types = [...scrape.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
    ),
  )
}

describe('O2: metrics', () => {
  it.each([
    ['requests', ['larder_requests_total', 'larder_aborted_total']],
    ['bytes to clients and from remotes', ['larder_sent_bytes_total', 'larder_upstream_bytes_total']],
    ['fills, resumes, retries', ['larder_fills_total', 'larder_resumes_total', 'larder_retries_total']],
    ['breaker', ['larder_breaker_state', 'larder_breaker_openings_total']],
    ['latency', ['larder_request_duration_seconds_bucket', 'larder_upstream_head_seconds_bucket']],
    ['store size, entries, evictions', ['larder_store_bytes', 'larder_store_records', 'larder_evictions_total']],
    ['Redis', ['larder_redis_up']],
    ['degraded', ['larder_degraded', 'larder_degraded_by']],
    ['warm-ups', ['larder_warm_jobs_total', 'larder_warm_items_total']],
    ['memory', ['process_resident_memory_bytes', 'nodejs_heap_size_used_bytes']],
    ['event loop lag', ['nodejs_eventloop_lag_seconds']],
    ['descriptors', ['process_open_fds', 'process_max_fds']],
  ])('%s', (_, names) => {
    expect([...namesInScrape()]).toEqual(expect.arrayContaining(names))
  })

  it('dashboard and alerts ask for no metric that is not there', () => {
    const there = namesInScrape()
    const expressions = [...dashboardExpressions(), ...ruleExpressions()]
    const asked = expressions.flatMap((expression) =>
      [...metricsIn(expression)].map((name) => ({ name, of: expression.of })),
    )
    expect(asked.length).toBeGreaterThan(60)
    expect(asked.filter(({ name }) => !there.has(name))).toEqual([])
  })
})

describe.skipIf(missing('promtool').length > 0)(title('promtool', 'promtool'), () => {
  it('O2: finds nothing wrong with a scrape', async () => {
    const file = join(await temporaryDirectory(), 'scrape')
    await writeFile(file, scrape)
    const { code, stdout, stderr } = await bash(`promtool check metrics < ${file}`, '/')
    expect([code, stdout.toString(), stderr]).toEqual([0, '', ''])
  })
})
