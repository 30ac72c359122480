import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Limits, usualLimits } from '../../../src/buildpacks/rewriting/limits.js'
import { createRewriter } from '../../../src/buildpacks/rewriting/rewriter.js'
import { compileGlob } from '../../../src/caching/glob.js'
import type { RawHeaders } from '../../../src/caching/headers.js'
import type { Glob, Repository, RewriteRule } from '../../../src/caching/repository.js'
import { loadConfig } from '../../../src/config/load.js'
import type { RewriteOutcome, Rewriting } from '../../../src/proxy/rewriter.js'
import type { OpenBody } from '../../../src/storage/blob-store.js'

export const base = 'https://larder.example'

/** Repositories as their settings make them, in this order. */
export async function configured(settings: Readonly<Record<string, unknown>>): Promise<readonly Repository[]> {
  const directory = await mkdtemp(join(tmpdir(), 'larder-rewriting-'))
  const file = join(directory, 'repositories.yaml')
  await writeFile(file, JSON.stringify({ repositories: settings }))
  const { repositories } = await loadConfig(file, {})
  await rm(directory, { recursive: true })
  return repositories
}

const jvm = await configured({
  'lang-jvm': { remote: 'https://lang-jvm.s3.amazonaws.com' },
  'maven-central': { remote: 'https://repo1.maven.org/maven2' },
})

/** A URL of the first of them, and what becomes of it. */
export const theirs = 'https://lang-jvm.s3.us-east-1.amazonaws.com/jdk/openjdk17.tar.gz'
export const ours = `${base}/repository/lang-jvm/jdk/openjdk17.tar.gz`

export function rule(...members: string[]): RewriteRule {
  const globs = (members.length === 0 ? ['**'] : members).map((match) => compileGlob(match) as Glob)
  return { ...(compileGlob('**') as Glob), in: globs }
}

export interface Given {
  readonly members?: readonly string[]
  readonly headers?: RawHeaders
  readonly limits?: Partial<Limits>
  readonly repositories?: readonly Repository[]
  /** Bytes that one read brings, at most. */
  readonly atOnce?: () => number
  readonly whole?: () => Promise<number | undefined>
  /** The body can be read from its beginning only. */
  readonly once?: boolean
}

export function start(body: OpenBody, size: number, given: Given = {}): Rewriting {
  const { members = [], headers = [], limits = {}, repositories = jvm, once = false } = given
  const rewriter = createRewriter({ repositories: () => repositories, limits: { ...usualLimits, ...limits } })
  const whole = given.whole ?? (async () => (once ? undefined : size))
  return rewriter.plan(rule(...members), base).rewrite({ headers, body: once ? inOrder(body) : body, whole })
}

export async function rewrite(
  bytes: Uint8Array,
  given: Given = {},
): Promise<{ bytes: Buffer; outcome: RewriteOutcome }> {
  const rewriting = start(bodyOf(bytes, given.atOnce), bytes.length, given)
  const chunks: Uint8Array[] = []
  for await (const chunk of rewriting.chunks) chunks.push(chunk)
  return { bytes: Buffer.concat(chunks), outcome: rewriting.outcome() }
}

/** The code it fails with. */
export async function failure(bytes: Uint8Array, given: Given = {}): Promise<unknown> {
  return rewrite(bytes, given).then(
    ({ outcome }) => outcome,
    (error: { readonly code?: unknown }) => error.code ?? error,
  )
}

export function bodyOf(bytes: Uint8Array, atOnce = () => Number.POSITIVE_INFINITY): OpenBody {
  return {
    read: async (into, position) => {
      const part = bytes.subarray(position, position + Math.min(into.length, Math.max(1, atOnce())))
      into.set(part)
      return part.length
    },
    close: () => {},
  }
}

/** Gives nothing twice, and nothing ahead of its turn. */
function inOrder(body: OpenBody): OpenBody {
  let next = 0
  return {
    ...body,
    read: async (into, position) => {
      if (position !== next) throw new Error(`asked for byte ${position}, when ${next} was next`)
      const count = await body.read(into, position)
      next += count
      return count
    },
  }
}
