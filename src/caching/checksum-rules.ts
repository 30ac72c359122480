import type { Digest } from './record.js'
import type { ChecksumRule, IntegrityPolicy } from './repository.js'

/**
 * The rule that says what the body at `path` (without leading slash and query) must be. A list of digests is held to
 * none that would ask for a list again: there is no end to that.
 */
export function checksumRule(path: string, { checksums }: IntegrityPolicy): ChecksumRule | undefined {
  const rule = checksums.find(({ matches }) => matches(path))
  return rule?.expected.kind === 'listed' && isList(path, checksums) ? undefined : rule
}

/** Whether a stored body is another than a literal digest says, which may have been written down after it came. */
export function contradictsPin(path: string, { checksums }: IntegrityPolicy, digest: Digest): boolean {
  if (checksums.length === 0) return false
  const expected = checksums.find(({ matches }) => matches(path))?.expected
  return expected?.kind === 'literal' && digest !== `sha256:${expected.sha256}`
}

/** The path of the list that has the digest of what is at `path`. */
export function listPath(template: string, path: string): string {
  const slash = path.lastIndexOf('/')
  const parts = { path, dir: path.slice(0, Math.max(0, slash)), name: path.slice(slash + 1) }
  const filled = template.replace(placeholder, (_, part: keyof typeof parts) => parts[part])
  return filled.replace(/^\/+/, '')
}

const placeholder = /\{(path|dir|name)\}/g

const isList = (path: string, rules: readonly ChecksumRule[]): boolean =>
  rules.some(({ expected }) => expected.kind === 'listed' && !namesArtifact(expected.in) && fits(path, expected.in))

/** A template that leads back to whatever it starts from; by it all would be lists, and nothing held to any. */
const namesArtifact = (template: string) => listPath(template, 'a/b') === 'a/b'

/** Whether the template names `path` for some artifact. */
function fits(path: string, template: string): boolean {
  const [target = ''] = template.replace(/^\/+/, '').split('?', 1)
  const pattern = target
    .split(/(\{dir\}\/?|\{path\}|\{name\})/)
    .map((part) => standsFor[part] ?? part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${pattern.join('')}$`).test(path)
}

const standsFor: Readonly<Record<string, string>> = {
  // At the root there is no directory, nor its slash.
  '{dir}/': '(?:.+/)?',
  '{dir}': '.*',
  '{path}': '.+',
  '{name}': '[^/]+',
}
