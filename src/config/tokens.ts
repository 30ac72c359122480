import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from './config-error.js'
import { readTextFile } from './text-file.js'

export interface Token {
  /** Who is meant by it, for the audit log. */
  readonly name: string
  readonly secret: string
}

/** `name: token` or a token alone, of the characters of a bearer token (RFC 6750 §2.1); shorter ones could be guessed. */
const line = /^(?:([\w.-]{1,64}):\s*)?([\w.~+/-]{16,512}=*)$/

const mostBytes = 1024 * 1024

const expectation =
  'a token of 16 to 512 letters, digits and . _ ~ + / -, with an optional "name:" before it, or a # comment'

/** The tokens of a file, one a line. Throws `ConfigError` with every fault; no message holds a token. */
export function loadTokens(file: string): readonly Token[] {
  const fault = (number: number, message: string) => ({ file, line: number, column: number && 1, path: '', message })
  const content = readTextFile(file, mostBytes)
  if ('fault' in content) throw new ConfigError([fault(0, `${content.fault}, expected a file of tokens`)])
  const entries = content.text
    .split(/\r?\n/)
    .map((content, index) => ({ number: index + 1, content: content.trim() }))
    .filter(({ content }) => content !== '' && !content.startsWith('#'))
  const parsed = entries.map(({ number, content }) => ({ number, match: line.exec(content) }))
  const faults = parsed
    .filter(({ match }) => match === null)
    .map(({ number }) => fault(number, `expected ${expectation}`))
  if (entries.length === 0) faults.push(fault(0, 'holds no token, expected at least one'))
  if (faults.length > 0) throw new ConfigError(faults)
  return parsed.map(({ number, match }) => ({ name: match?.[1] ?? `line-${number}`, secret: match?.[2] ?? '' }))
}

/** Where the administrator's token is made that nobody configured. */
export const madeAdminToken = (dataDirectory: string): string => join(dataDirectory, 'admin-token')

/** Makes the token at `file` unless there is one; true if it did. Throws where the file can't be written. */
export async function makeAdminToken(file: string): Promise<boolean> {
  const present = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return undefined
  })
  if (present !== undefined && present.length > 0) return false
  const token = randomBytes(32).toString('base64url')
  await writeFile(`${file}.new`, `admin: ${token}\n`, { mode: 0o600, flush: true })
  await rename(`${file}.new`, file)
  return true
}
