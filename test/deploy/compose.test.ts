import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readEnvironment } from '../../src/config/environment.js'
import { temporaryDirectory } from '../support/stage.js'
import { inCheckout, listOf, type Node, textOf, yamlOf } from './files.js'

/** `source:target[:options]` of all services. */
const mountsOf = (composed: Node) =>
  Object.values(composed.services ?? {}).flatMap((service) =>
    listOf(service.volumes).map((mount) => String(mount).split(':')),
  )

/** The environment of a service, with the defaults of what it takes from elsewhere. */
const environmentOf = (service: Node | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(service?.environment ?? {}).map(([name, value]) => [
      name,
      String(value).replace(/^\$\{\w+:-(.*)\}$/, '$1'),
    ]),
  )

describe.each(['compose.yaml', 'compose.replicas.yaml'])('%s', (file) => {
  const composed = yamlOf(`deploy/${file}`)

  it('mounts what is there', () => {
    const sources = mountsOf(composed).map(([source = '']) => source)
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) {
      if (source.startsWith('.')) expect(existsSync(join(inCheckout('deploy'), source)), source).toBe(true)
      else expect(Object.keys(composed.volumes ?? {})).toContain(source)
    }
  })

  it('O1: gives a stopping server more time than it takes', () => {
    const servers = Object.values(composed.services ?? {}).filter(({ image }) => String(image) === 'larder')
    expect(servers.length).toBeGreaterThan(0)
    for (const server of servers) expect(parseInt(String(server.stop_grace_period), 10)).toBeGreaterThan(30)
  })
})

describe('compose.yaml', () => {
  const composed = yamlOf('deploy/compose.yaml')
  const { services } = composed
  const mounts = mountsOf(composed)

  it('gives the server an environment it takes', () => {
    expect(readEnvironment(environmentOf(services?.larder))).toMatchObject({
      ...{ redis: { kind: 'single', node: { host: 'redis' } }, maxSize: { percent: 90 } },
    })
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
})

describe('compose.replicas.yaml', () => {
  const { services, secrets } = yamlOf('deploy/compose.replicas.yaml')
  const replicas = Object.entries(services ?? {}).filter(([, { image }]) => String(image) === 'larder')
  const names = replicas.map(([name]) => name)

  it('gives each replica an environment it takes, under its own name, and a volume of its own', async () => {
    expect(names).toEqual(['larder-1', 'larder-2', 'larder-3'])
    const file = join(await temporaryDirectory(), 'secret')
    await writeFile(file, `ops: ${'0'.repeat(64)}\n`)
    for (const [name, replica] of replicas) {
      const given = Object.entries(environmentOf(replica)).map(([variable, value]) => {
        const [, secret] = /^\/run\/secrets\/(.+)$/.exec(value) ?? []
        if (secret !== undefined)
          expect([listOf(replica.secrets), Object.keys(secrets ?? {})]).toEqual([
            expect.arrayContaining([secret]),
            expect.arrayContaining([secret]),
          ])
        return [variable, secret === undefined ? value : file]
      })
      expect(readEnvironment(Object.fromEntries(given))).toMatchObject({
        ...{ redis: { kind: 'single', node: { host: 'redis' } }, peer: { url: `http://${name}:8081`, port: 8081 } },
        s3: { bucket: 'larder', endpoint: 'http://minio:9000', pathStyle: true },
      })
    }
    const data = replicas.map(([, { volumes }]) =>
      listOf(volumes)
        .map(String)
        .find((mount) => mount.endsWith(':/data')),
    )
    expect(new Set(data).size).toBe(3)
  })

  it('leads the front and Prometheus to every replica', () => {
    const backend = [...textOf('deploy/front/haproxy-replicas.cfg').matchAll(/^ {2}server (\S+) (\S+)$/gm)]
    expect(backend.map(([, name, place]) => [name, place])).toEqual(names.map((name) => [name, `${name}:8080`]))
    const { scrape_configs: jobs } = yamlOf('deploy/prometheus/replicas.yml')
    const targets = names.map((name) => `${name}:8080`)
    expect(jobs).toMatchObject([{ job_name: 'larder', static_configs: [{ targets }] }])
    expect(listOf(services?.prometheus?.command).map(String)).toContain('--config.file=/etc/prometheus/replicas.yml')
  })

  it('makes the bucket that the replicas wait for, with their credentials', () => {
    const { command, environment } = services?.bucket ?? {}
    const replica = replicas[0]?.[1]
    expect(listOf(command).map(String)).toContain(`store/${replica?.environment?.LARDER_S3_BUCKET}`)
    const [user, password] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].map((name) => replica?.environment?.[name])
    expect(String(environment?.MC_HOST_store)).toBe(`http://${user}:${password}@minio:9000`)
    expect(services?.minio?.environment).toEqual({ MINIO_ROOT_USER: user, MINIO_ROOT_PASSWORD: password })
    expect(replica?.depends_on).toEqual({ bucket: { condition: 'service_completed_successfully' } })
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
