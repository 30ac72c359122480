import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/*
 * Who may import whom, read off the imports themselves. A room is a folder of src, or a file standing for itself; `*`
 * is any file of the room. Packages are named where they are tied to one room.
 */

const src = fileURLToPath(new URL('../src/', import.meta.url))

const leaves = ['deadline.ts', 'errors.ts', 'log.ts', 'metrics.ts']

const storagePorts = [
  'storage/write-gate.ts',
  'storage/blob-store.ts',
  'storage/record-store.ts',
  'storage/shared-cache.ts',
]
const drivers = ['storage/disk/', 'storage/keyv/', 'storage/s3/', 'peers/', 'upstream/']

/** What the files under a path may import besides their own room, the most telling path first. */
const rules: readonly { readonly room: string; readonly may: readonly string[] }[] = [
  { room: 'warming/', may: ['caching/', 'errors.ts'] },
  { room: 'archive/', may: ['caching/', 'errors.ts'] },
  { room: 'deadline.ts', may: [] },
  { room: 'errors.ts', may: [] },
  { room: 'log.ts', may: [] },
  { room: 'metrics.ts', may: [] },
  { room: 'caching/', may: ['errors.ts'] },
  { room: 'upstream/upstream.ts', may: ['caching/'] },
  { room: 'upstream/', may: ['caching/', 'deadline.ts', 'errors.ts'] },
  { room: 'proxy/rewriter.ts', may: ['caching/', 'storage/blob-store.ts'] },
  { room: 'proxy/peers.ts', may: ['proxy/source.ts', 'caching/'] },
  { room: 'peers/', may: ['proxy/peers.ts', 'caching/', ...leaves] },
  { room: 'proxy/source.ts', may: ['caching/', 'upstream/upstream.ts'] },
  ...storagePorts.map((room) => ({ room, may: ['caching/'] })),
  { room: 'storage/redis-place.ts', may: [] },
  { room: 'storage/keyv/', may: [...storagePorts, 'storage/redis-place.ts', 'caching/', ...leaves] },
  { room: 'storage/disk/', may: [...storagePorts, 'storage/descriptor.ts', 'storage/holds.ts', 'caching/', ...leaves] },
  { room: 'storage/s3/', may: [...storagePorts, 'storage/holds.ts', 'caching/', ...leaves] },
  { room: 'storage/', may: ['caching/', ...leaves] },
  {
    room: 'proxy/',
    may: [
      ...storagePorts,
      'storage/artifact-store.ts',
      'storage/bulletin.ts',
      'storage/in-memory.ts',
      'storage/staging.ts',
      'upstream/upstream.ts',
      'caching/',
      ...leaves,
    ],
  },
  {
    room: 'administration/',
    may: [
      'archive/',
      'caching/',
      'proxy/availability.ts',
      'proxy/foresight.ts',
      'proxy/pace.ts',
      'proxy/proxy.ts',
      'proxy/warm.ts',
      'storage/artifact-store.ts',
      'storage/blob-store.ts',
      'storage/bulletin.ts',
      'storage/intake.ts',
      'storage/shared-cache.ts',
      'warming/',
      ...leaves,
    ],
  },
  { room: 'http/admin/', may: ['administration/', 'http/', 'caching/', 'config/warm-settings.ts', ...leaves] },
  { room: 'http/', may: ['http/admin/', 'proxy/', 'caching/', 'storage/blob-store.ts', ...leaves] },
  { room: 'buildpacks/catalogue/', may: [] },
  { room: 'buildpacks/environment/', may: ['buildpacks/catalogue/', 'caching/'] },
  {
    room: 'buildpacks/doctor/',
    may: ['buildpacks/catalogue/', 'buildpacks/environment/', 'caching/', 'config/wording.ts'],
  },
  { room: 'buildpacks/', may: ['proxy/rewriter.ts', 'storage/blob-store.ts', 'caching/', 'errors.ts'] },
  {
    room: 'config/',
    may: ['buildpacks/catalogue/', 'warming/', 'caching/repository.ts', 'caching/glob.ts', 'storage/redis-place.ts'],
  },
  { room: 'credentials.ts', may: ['config/', 'http/auth.ts', ...leaves] },
  ...['compose.ts', 'compose/'].map((room) => ({
    room,
    may: [
      'administration/',
      'buildpacks/',
      'caching/',
      'compose/',
      'config/',
      'credentials.ts',
      'http/',
      'peers/',
      'proxy/',
      'storage/',
      'upstream/',
      ...leaves,
    ],
  })),
  {
    room: 'cli/',
    may: [
      'administration/explain-views.ts',
      'administration/views.ts',
      'administration/warm-views.ts',
      'buildpacks/catalogue/',
      'buildpacks/doctor/',
      'buildpacks/environment/',
      'caching/',
      'compose.ts',
      'compose/open-upstream.ts',
      'config/',
      'upstream/upstream.ts',
      'warming/order.ts',
      ...leaves,
    ],
  },
  { room: 'main.ts', may: ['cli/'] },
]

/** Packages that one room, or two, keep to themselves. */
const kept: Readonly<Record<string, string | readonly string[]>> = {
  lmdb: ['storage/disk/', 'storage/s3/'],
  '@aws-sdk/client-s3': 'storage/s3/',
  'fs-native-extensions': 'storage/disk/',
  '@keyv/redis': 'storage/keyv/',
  keyv: 'storage/keyv/',
  got: 'upstream/',
  aws4fetch: 'upstream/',
  hono: 'http/',
  '@hono/node-server': 'http/',
  '@hono/zod-openapi': 'http/admin/',
  commander: 'cli/',
  'cli-progress': 'cli/',
  croner: 'warming/',
  'smol-toml': 'warming/',
  'tar-stream': ['archive/', 'warming/'],
  yauzl: 'buildpacks/rewriting/',
  zod: 'config/',
  yaml: 'config/',
  pino: 'log.ts',
  'prom-client': 'metrics.ts',
}

/** All that the pure middle may have from outside. */
const pureOutside = new Set(['node:crypto', 'picomatch'])

interface Import {
  readonly from: string
  readonly to: string
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

const imports: readonly Import[] = files.flatMap((from) => {
  const text = readFileSync(join(src, from), 'utf8')
  return [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g)].map(([, to = '']) => ({
    from,
    to: to.startsWith('.') ? relative(src, resolve(src, dirname(from), to)).replace(/\.js$/, '.ts') : to,
  }))
})

const within = (file: string, room: string) => file === room || (room.endsWith('/') && file.startsWith(room))
const ruleOf = (file: string) => rules.find(({ room }) => within(file, room))
const isOurs = (to: string) => to.endsWith('.ts')

describe('the import rules', () => {
  it('cover every file', () => {
    expect(files.filter((file) => !file.endsWith('.d.ts') && !ruleOf(file))).toEqual([])
  })

  it('are kept', () => {
    const broken = imports.filter(({ from, to }) => {
      const rule = ruleOf(from)
      const ownRoom = rule?.room.endsWith('/') && dirname(from) === dirname(to)
      return isOurs(to) && rule && !ownRoom && !rule.may.some((room) => within(to, room))
    })
    expect(broken).toEqual([])
  })

  it('leave naming a driver to compose.ts and its helpers', () => {
    const named = imports.filter(({ from, to }) => {
      const driver = drivers.find((room) => within(to, room))
      return driver && to !== 'upstream/upstream.ts' && !within(from, driver)
    })
    expect(named.filter(({ from }) => from !== 'compose.ts' && !from.startsWith('compose/'))).toEqual([])
  })

  it('keep I/O out of the pure middle', () => {
    const impure = imports.filter(({ from, to }) => from.startsWith('caching/') && !isOurs(to) && !pureOutside.has(to))
    expect(impure).toEqual([])
  })

  it('tie packages to the room that wraps them', () => {
    const strays = imports.filter(({ from, to }) => {
      const name = to.split('/', to.startsWith('@') ? 2 : 1).join('/')
      const rooms = kept[name]
      return rooms !== undefined && ![rooms].flat().some((room) => within(from, room))
    })
    expect(strays).toEqual([])
  })
})
