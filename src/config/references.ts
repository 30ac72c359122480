import { dirname, resolve } from 'node:path'
import { readTextFile } from './text-file.js'

/** What may stand for a value: `${NAME}` anywhere, `file:` for a secret, the path of a file for PEM. */
export type ValueKind = 'plain' | 'secret' | 'pem'

export type Resolved = { readonly text: string } | { readonly problem: string }

/** No file read for a value is larger. */
const mostBytes = 1024 * 1024

/**
 * Puts values in the place of what stands for them in the text of `file`, whose directory is where relative paths begin.
 * What a variable or a file holds is not looked into again. A problem shows names and `file:` as written, never a value.
 */
export function createResolver(file: string, env: NodeJS.ProcessEnv): (written: string, kind: ValueKind) => Resolved {
  const read = (path: string) => readTextFile(resolve(dirname(file), path), mostBytes)
  const secretOf = (reference: string): Resolved => {
    const path = expand(reference, env)
    if ('problem' in path) return path
    const content = read(path.text)
    const wanted = 'expected a file with the secret as its only line'
    if ('fault' in content) return { problem: `names the file ${reference}, which ${content.fault}, ${wanted}` }
    const text = content.text.replace(/\r?\n$/, '')
    if (text === '') return { problem: `names the file ${reference}, which is empty, ${wanted}` }
    if (/[\r\n]/.test(text)) return { problem: `names the file ${reference}, which has several lines, ${wanted}` }
    return { text }
  }
  const pemOf = (value: string): Resolved => {
    if (value.includes('-----BEGIN ')) return { text: value }
    const content = read(value)
    return 'text' in content
      ? content
      : {
          problem: `names a file that ${content.fault}, expected the path of a PEM file, from the directory of this one`,
        }
  }
  return (written, kind) => {
    if (kind === 'secret' && written.startsWith('file:')) return secretOf(written.slice('file:'.length))
    const expanded = expand(written, env)
    return kind === 'pem' && 'text' in expanded ? pemOf(expanded.text) : expanded
  }
}

/** `$${` stands for a literal `${`. */
function expand(written: string, env: NodeJS.ProcessEnv): Resolved {
  let problem: string | undefined
  const text = written.replaceAll(/\$?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?/g, (reference, name?: string) => {
    if (reference.startsWith('$$')) return reference.slice(1)
    if (name === undefined) {
      problem ??= 'has "${" without a name and a brace after it, expected both, or "$${" for these characters'
      return reference
    }
    const value = env[name]
    if (value === undefined) problem ??= `names the variable ${name}, which is not set in the environment`
    return value ?? reference
  })
  return problem === undefined ? { text } : { problem }
}
