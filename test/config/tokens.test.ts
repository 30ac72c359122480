import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config/config-error.js'
import { loadTokens, makeAdminToken } from '../../src/config/tokens.js'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'larder-tokens-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function written(text: string | Uint8Array): Promise<string> {
  const file = join(directory, 'tokens')
  await writeFile(file, text)
  return file
}

const faultsOf = (file: string): string[] => {
  try {
    loadTokens(file)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(({ line, message }) => `${line}: ${message}`)
  }
}

describe('O5: a file of tokens', () => {
  it.each([
    ['a lone one', '0123456789abcdef', [['line-1', '0123456789abcdef']]],
    ['a named one', 'ci:0123456789abcdef\n', [['ci', '0123456789abcdef']]],
    ['a space behind the name', 'my.ci-1:   0123456789abcdef', [['my.ci-1', '0123456789abcdef']]],
    ['base64 and its padding', 'abcdefghij+/klmn==', [['line-1', 'abcdefghij+/klmn==']]],
    ['Windows lines, blanks, comments', '# x\r\n\r\n  0123456789abcdef \r\n', [['line-3', '0123456789abcdef']]],
  ])('%s', async (_, text, expected) => {
    const tokens = loadTokens(await written(text))
    expect(tokens.map(({ name, secret }) => [name, secret])).toEqual(expected)
  })

  it.each([
    ['empty', '', ['0: holds no token']],
    ['only comments', '# nothing\n', ['0: holds no token']],
    ['too short', '0123456789abcde\nb: short\n', ['1: expected a token of 16', '2: expected a token of 16']],
    ['too long', 'x'.repeat(513), ['1: expected']],
    ['a space in it', '0123456789 abcdef', ['1: expected']],
    ['a name with a space', 'my ci: 0123456789abcdef', ['1: expected']],
    ['no text', new Uint8Array([255, 254, 0, 1]), ['0: is not UTF-8 text']],
  ])('%s: every fault with its line, and no token in the message', async (_, text, expected) => {
    const faults = faultsOf(await written(text))
    expect(faults).toEqual(expected.map((start) => expect.stringContaining(start)))
    expect(faults.join()).not.toMatch(/0123456789|short/)
  })

  it.each([
    ['absent', 'nothing', 'does not exist'],
    ['a directory', '.', 'is a directory'],
  ])('%s', (_, name, message) => {
    expect(faultsOf(join(directory, name))).toEqual([expect.stringContaining(message)])
  })

  it('is made with 256 random bits, and never anew', async () => {
    const file = join(directory, 'made')
    expect([await makeAdminToken(file), await makeAdminToken(file)]).toEqual([true, false])
    const [token] = loadTokens(file)
    expect(token?.name).toBe('admin')
    expect(Buffer.from(token?.secret ?? '', 'base64url')).toHaveLength(32)
  })

  it('is made anew where a crash left an empty one', async () => {
    const file = join(directory, 'empty')
    await writeFile(file, '')
    expect(await makeAdminToken(file)).toBe(true)
    expect(loadTokens(file)).toHaveLength(1)
  })
})
