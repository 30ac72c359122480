import type { Candidate } from './filters.js'

/* Lists of artifacts as their publishers write them. Each reader is pure: text to candidates. */

/** Lines of `sha256sum` (or another of its kind) or BSD's; names are relative to `directory`, which ends with a slash or is empty. */
export function shasumsCandidates(text: string, directory: string): readonly Candidate[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [, gnu] = /^[0-9a-f]{32,128}[ \t]+\*?(\S.*)$/i.exec(line.trim()) ?? []
    const [, bsd] = /^[A-Z0-9-]+ ?\((.+)\) ?= ?[0-9a-f]{32,128}$/i.exec(line.trim()) ?? []
    const name = (gnu ?? bsd)?.replace(/^(?:\.\/)+/, '')
    return name === undefined ? [] : [{ location: directory + encodePath(name) }]
  })
}

/** The versions of a `maven-metadata.xml`, each with its files; `directory` is that of the artifact. */
export function mavenCandidates(text: string, directory: string, files: readonly string[]): readonly Candidate[] {
  const artifact = directory.split('/').at(-1) ?? ''
  const versions = [...text.matchAll(/<version>\s*([^<\s]+)\s*<\/version>/g)].map(([, version = '']) => version)
  return [...new Set(versions)].flatMap((version) =>
    files.map((file) => {
      const name = file.replaceAll('{artifact}', artifact).replaceAll('{version}', version)
      return { location: `${directory}/${version}/${name}`, version }
    }),
  )
}

interface S3Page {
  readonly candidates: readonly Candidate[]
  /** Of the next page; `undefined` on the last. */
  readonly token: string | undefined
}

/** One page of a ListObjectsV2 answer; `undefined` for what isn't one. */
export function s3Page(text: string): S3Page | undefined {
  if (!/<ListBucketResult[\s>]/.test(text)) return undefined
  const keys = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => fromXml(key))
  const [, token] = /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(text) ?? []
  return {
    // What ends with a slash is how consoles draw a folder.
    candidates: keys.filter((key) => !key.endsWith('/')).map((key) => ({ location: encodePath(key) })),
    token: token === undefined ? undefined : fromXml(token),
  }
}

/** What to ask a bucket for: one page of what begins with `prefix` (a path, percent-encoded). */
export function s3Target(prefix: string, token: string | undefined): string {
  const query = [`list-type=2`, `prefix=${encodeURIComponent(decodePath(prefix))}`]
  if (token !== undefined) query.push(`continuation-token=${encodeURIComponent(token)}`)
  return `/?${query.join('&')}`
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const fromXml = (text: string) =>
  text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));/gi, (reference, hex?: string, decimal?: string, name = '') => {
    if (hex === undefined && decimal === undefined) return entities[name] ?? reference
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : reference
  })

/** A name as it stands in URLs: to S3 a bare plus is a space. */
const encodePath = (name: string) => name.split('/').map(encodeURIComponent).join('/')

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
