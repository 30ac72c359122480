import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readEnvironment } from '../../src/config/environment.js'
import { inCheckout, listOf, textOf, yamlOf } from './files.js'

const { services, volumes } = yamlOf('deploy/compose.yaml')

/** `source:target[:options]` of all services. */
const mounts = Object.values(services ?? {}).flatMap((service) =>
  listOf(service.volumes).map((mount) => String(mount).split(':')),
)

describe('compose.yaml', () => {
  it('mounts what is there', () => {
    const sources = mounts.map(([source = '']) => source)
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) {
      if (source.startsWith('.')) expect(existsSync(join(inCheckout('deploy'), source)), source).toBe(true)
      else expect(Object.keys(volumes ?? {})).toContain(source)
    }
  })

  it('gives the server an environment it takes', () => {
    const values = Object.entries(services?.larder?.environment ?? {}).map(([name, value]) => [
      name,
      String(value).replace(/^\$\{\w+:-(.*)\}$/, '$1'),
    ])
    const settings = readEnvironment(Object.fromEntries(values))
    expect(settings).toMatchObject({ redisUrl: 'redis://redis:6379', maxSize: { percent: 90 } })
  })

  it('leads Prometheus to the server, and Grafana to Prometheus and to the dashboard', () => {
    const { scrape_configs: jobs } = yamlOf('deploy/prometheus/prometheus.yml')
    expect(jobs).toMatchObject([{ job_name: 'larder', static_configs: [{ targets: ['larder:8080'] }] }])
    const { datasources } = yamlOf('deploy/compose/grafana/datasources/prometheus.yaml')
    expect(datasources).toMatchObject([{ url: 'http://prometheus:9090', isDefault: true }])
    const { providers } = yamlOf('deploy/compose/grafana/dashboards/larder.yaml')
    const home = String(services?.grafana?.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH)
    expect(providers).toMatchObject([{ options: { path: dirname(home) } }])
    expect(mounts).toContainEqual(['./grafana', dirname(home), 'ro'])
  })

  it('O1: gives a stopping server more time than it takes', () => {
    expect(parseInt(String(services?.larder?.stop_grace_period), 10)).toBeGreaterThan(30)
  })
})

describe('the dashboard', () => {
  const { panels, uid } = JSON.parse(textOf('deploy/grafana/larder.json'))

  it('has panels that are told apart and lie beside one another', () => {
    expect(uid).toBe('larder')
    expect(new Set(listOf(panels).map(({ id }) => id)).size).toBe(panels.length)
    const cells = listOf(panels).flatMap(({ gridPos }) => {
      const { x, y, w, h } = gridPos as unknown as Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
      expect(x + w).toBeLessThanOrEqual(24)
      return Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`)
    })
    expect(new Set(cells).size).toBe(cells.length)
  })
})
