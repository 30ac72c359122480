import { cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { loadPrewarmFile } from '../../src/config/prewarm-file.js'
import { run } from '../support/http.js'
import { find } from '../support/servers.js'
import { temporaryDirectory } from '../support/stage.js'
import { documentsIn, inCheckout, listOf, type Node, shippedRepositories, textOf, yamlOf } from './files.js'

const root = 'deploy/kustomize'

/** The objects of a directory, as they are written. */
async function objectsOf(directory: string): Promise<Node[]> {
  const names = (await readdir(inCheckout(`${root}/${directory}`))).filter((name) => name.endsWith('.yaml'))
  return names.flatMap((name) => documentsIn(textOf(`${root}/${directory}/${name}`))).filter(({ spec }) => spec)
}

/** The pod an object of any kind makes. */
const podOf = ({ spec }: Node): Node | undefined => (spec?.jobTemplate?.spec ?? spec)?.template

const workloads = async () =>
  (await Promise.all(['base', 'components/redis'].map(objectsOf))).flat().filter((object) => podOf(object)?.spec)

describe('the Kubernetes manifests', () => {
  it('serve the repositories of the checkout', () => {
    expect(textOf(`${root}/base/repositories.yaml`)).toBe(textOf('repositories.yaml'))
  })

  it('know the names builds reach them by, in the overlay: URLs inside buildpacks begin with those', async () => {
    const { publicUrl, publicHosts, repositories } = await loadConfig(
      inCheckout(`${root}/overlays/example/repositories.yaml`),
      {},
    )
    expect(repositories.map(({ name }) => name)).toEqual(await shippedRepositories())
    expect(publicUrl).toBe('https://larder.example.com')
    const { metadata } = yamlOf(`${root}/base/service.yaml`)
    const { namespace } = yamlOf(`${root}/overlays/example/kustomization.yaml`)
    const service = `${metadata?.name}.${namespace}`
    expect(publicHosts).toEqual([String(metadata?.name), service, `${service}.svc`, `${service}.svc.cluster.local`])
  })

  it('pre-warm what those have', async () => {
    const { items, from } = loadPrewarmFile(inCheckout(`${root}/base/prewarm-items.yaml`), {})
    const named = [...items, ...from.map(({ inventory }) => String(inventory))].map((item) => item.split('/', 1)[0])
    expect(named.length).toBeGreaterThan(2)
    expect(await shippedRepositories()).toEqual(expect.arrayContaining(named))
  })

  it('D8: never run two servers on one volume', async () => {
    const server = (await objectsOf('base')).find(({ kind }) => String(kind) === 'Deployment')
    expect(server?.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
  })

  it('O1: give a stopping server more time than it takes', async () => {
    const server = (await workloads()).find(({ metadata }) => String(metadata?.name) === 'larder')
    expect(Number(server && podOf(server)?.spec?.terminationGracePeriodSeconds)).toBeGreaterThan(30)
  })

  it('keep every container from root, from its own file system and from the API of the cluster', async () => {
    const all = await workloads()
    expect(all.map(({ metadata }) => String(metadata?.name)).sort()).toEqual([
      'larder',
      'larder-prewarm',
      'larder-redis',
    ])
    for (const { spec } of all.map(podOf).filter((pod) => pod !== undefined)) {
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      })
      for (const container of listOf(spec?.containers)) {
        expect(container).toMatchObject({
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          resources: { limits: { memory: expect.any(String) } },
        })
      }
    }
  })

  it('name volumes, config maps and files that exist', async () => {
    const { configMapGenerator, resources } = yamlOf(`${root}/base/kustomization.yaml`)
    const maps = listOf(configMapGenerator).map(({ name }) => String(name))
    expect([...listOf(resources)].map(String).sort()).toEqual(
      (await readdir(inCheckout(`${root}/base`)))
        .filter((name) => !/^(kustomization|repositories|prewarm-items)\.yaml$/.test(name))
        .sort(),
    )
    for (const { spec } of (await workloads()).map(podOf).filter((pod) => pod !== undefined)) {
      const volumes = listOf(spec?.volumes)
      const mounted = listOf(spec?.containers).flatMap(({ volumeMounts }) => listOf(volumeMounts))
      expect(mounted.map(({ name }) => String(name)).sort()).toEqual(volumes.map(({ name }) => String(name)).sort())
      for (const { configMap } of volumes) if (configMap) expect(maps).toContain(String(configMap.name))
    }
  })
})

const kubectl = find('kubectl')

describe.skipIf(!kubectl)(`kubectl kustomize${kubectl ? '' : ' (left out: no kubectl on this machine)'}`, () => {
  it('renders the example overlay', async () => {
    const copy = await temporaryDirectory()
    await cp(inCheckout(root), copy, { recursive: true })
    const overlay = join(copy, 'overlays/example')
    await writeFile(join(overlay, 'admin-tokens'), 'ops: 0123456789abcdef\n')
    const { code, stdout, stderr } = await run(kubectl ?? '', ['kustomize', overlay])
    expect([code, stderr]).toEqual([0, ''])
    const objects = documentsIn(stdout.toString())
    const named = (kind: string, name: string) =>
      objects.find((object) => String(object.kind) === kind && String(object.metadata?.name) === name)
    expect(objects.filter(({ metadata, kind }) => String(kind) !== 'Namespace' && !metadata?.namespace)).toEqual([])
    expect(named('ConfigMap', 'larder-environment')?.data).toEqual({
      LARDER_MAX_SIZE: '450GiB',
      REDIS_URL: 'redis://larder-redis:6379',
    })
    expect(listOf(named('NetworkPolicy', 'larder')?.spec?.egress)).toHaveLength(3)
    expect(named('Deployment', 'larder')?.spec?.template?.spec?.containers).toMatchObject([
      { image: 'registry.example.com/larder:0.1.0' },
    ])
    expect(String(named('ConfigMap', 'larder-repositories')?.data?.['repositories.yaml'])).toBe(
      textOf(`${root}/overlays/example/repositories.yaml`),
    )
  })
})
