import { cp, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readEnvironment } from '../../src/config/environment.js'
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
  (await Promise.all(['base', 'components/redis', 'components/minio'].map(objectsOf)))
    .flat()
    .filter((object) => podOf(object)?.spec)

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
      'larder-bucket',
      'larder-minio',
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

/** What `kubectl kustomize` makes of an overlay, with these files beside it. */
async function rendered(overlay: string, files: Readonly<Record<string, string>>) {
  const copy = await temporaryDirectory()
  await cp(inCheckout(root), copy, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(copy, 'overlays', name), text)
  const { code, stdout, stderr } = await run(kubectl ?? '', ['kustomize', join(copy, 'overlays', overlay)])
  expect([code, stderr]).toEqual([0, ''])
  const objects = documentsIn(stdout.toString())
  const outside = objects.filter(({ metadata, kind }) => String(kind) !== 'Namespace' && !metadata?.namespace)
  expect(outside).toEqual([])
  return {
    objects,
    named: (kind: string, name: string) =>
      objects.find((object) => String(object.kind) === kind && String(object.metadata?.name) === name),
  }
}

const tokens = { 'example/admin-tokens': 'ops: 0123456789abcdef\n' }

describe.skipIf(!kubectl)(`kubectl kustomize${kubectl ? '' : ' (left out: no kubectl on this machine)'}`, () => {
  it('renders the example overlay', async () => {
    const { named } = await rendered('example', tokens)
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

  describe('renders the overlay of replicas', () => {
    const secret = '0123456789abcdef0123456789abcdef'
    const replicas = () =>
      rendered('replicas', {
        ...tokens,
        'replicas/peers': `${secret}\n`,
        'replicas/s3.env': 'AWS_ACCESS_KEY_ID=larder\nAWS_SECRET_ACCESS_KEY=secret\n',
      })

    it('D8: a volume to each, and none that two might have', async () => {
      const { objects, named } = await replicas()
      const server = named('Deployment', 'larder')?.spec
      expect(Number(server?.replicas)).toBeGreaterThan(1)
      const data = listOf(server?.template?.spec?.volumes).find(({ name }) => String(name) === 'data')
      expect(Object.keys(data ?? {}).sort()).toEqual(['ephemeral', 'name'])
      expect(named('PersistentVolumeClaim', 'larder')).toBeUndefined()
      expect(objects.filter(({ kind }) => String(kind) === 'PersistentVolumeClaim')).toHaveLength(1)
    })

    it('with an environment that a server takes', async () => {
      const { named } = await replicas()
      const file = join(await temporaryDirectory(), 'secret')
      await writeFile(file, secret)
      const [container] = listOf(named('Deployment', 'larder')?.spec?.template?.spec?.containers)
      const mounts = listOf(container?.volumeMounts).map(({ mountPath }) => String(mountPath))
      const own = listOf(container?.env).map(({ name, value }) => [String(name), String(value)] as const)
      const env = own.map(([name, value]) => {
        if (!name.endsWith('_FILE')) return [name, value.replace('$(POD_IP)', '10.0.0.5')]
        expect(mounts).toContain(dirname(value))
        return [name, file]
      })
      const { data } = named('ConfigMap', 'larder-environment') ?? {}
      expect(readEnvironment({ ...data, ...Object.fromEntries(env) } as NodeJS.ProcessEnv)).toMatchObject({
        ...{ peer: { url: 'http://10.0.0.5:8081', port: 8081 }, maxSize: { percent: 90 } },
        s3: { bucket: 'larder', endpoint: 'http://larder-minio:9000' },
      })
      expect(own.map(([name]) => name).indexOf('POD_IP')).toBeLessThan(
        own.map(([name]) => name).indexOf('LARDER_PEER_URL'),
      )
      for (const { secretRef } of listOf(container?.envFrom)) {
        if (secretRef) expect(Object.keys(named('Secret', String(secretRef.name))?.data ?? {})).toHaveLength(2)
      }
    })

    it('with a way to each other, to Redis and to the bucket, whose pods and ports are there', async () => {
      const { objects, named } = await replicas()
      const ways = listOf(named('NetworkPolicy', 'larder')?.spec?.egress).flatMap(({ to, ports }) =>
        listOf(to).flatMap(({ podSelector }) =>
          podSelector ? [{ labels: podSelector.matchLabels, port: String(listOf(ports)[0]?.port) }] : [],
        ),
      )
      expect(ways.map(({ port }) => port).sort()).toEqual(['peers', 'redis', 's3'])
      for (const { labels, port } of ways) {
        const pod = objects.map(podOf).find((pod) => pod?.metadata?.labels && fits(labels, pod.metadata.labels))
        const ports = listOf(pod?.spec?.containers).flatMap(({ ports }) => listOf(ports))
        expect(ports.map(({ name }) => String(name))).toContain(port)
      }
      expect(listOf(named('NetworkPolicy', 'larder-minio')?.spec?.ingress)).toHaveLength(1)
    })

    it('O1: one at a time goes, on another node each, when all have heard of it', async () => {
      const { named } = await replicas()
      const server = named('Deployment', 'larder')?.spec
      const { lifecycle } = listOf(server?.template?.spec?.containers)[0] ?? {}
      const waits = Number(listOf(lifecycle?.preStop?.exec?.command)[1])
      expect(waits).toBeGreaterThan(0)
      expect(Number(server?.template?.spec?.terminationGracePeriodSeconds)).toBeGreaterThan(waits + 30)
      expect(server?.strategy).toMatchObject({ rollingUpdate: { maxUnavailable: 0 } })
      const budget = named('PodDisruptionBudget', 'larder')?.spec
      expect(budget).toMatchObject({ maxUnavailable: 1, selector: server?.selector })
      const { affinity } = server?.template?.spec ?? {}
      expect(JSON.stringify(affinity?.podAntiAffinity)).toContain('kubernetes.io/hostname')
    })
  })
})

const fits = (wanted: Node | undefined, labels: Node) =>
  Object.entries(wanted ?? {}).every(([name, value]) => String(labels[name]) === String(value))
