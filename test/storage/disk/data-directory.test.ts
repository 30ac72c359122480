import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type DataDirectory, openDataDirectory } from '../../../src/storage/disk/data-directory.js'
import { isEmpty, openUnder, settled, workDirectory } from '../fixtures.js'

let directory: string

beforeEach(async () => {
  const { path, remove } = await workDirectory()
  directory = path
  onTestFinished(async () => {
    const left = await settled(() => openUnder(path), isEmpty)
    await remove()
    expect(left).toEqual([])
  })
})

const take = async (path = directory): Promise<DataDirectory> => {
  const data = await openDataDirectory(path)
  onTestFinished(() => data.unlock().catch(() => {}))
  return data
}

const unusable = (words: string | RegExp) => ({
  code: 'DATA_DIRECTORY_UNUSABLE',
  message: typeof words === 'string' ? expect.stringContaining(words) : expect.stringMatching(words),
})

const refused = (words: string | RegExp) => expect(openDataDirectory(directory)).rejects.toMatchObject(unusable(words))

describe('a new directory', () => {
  it('D5: is made, with a versioned and private identity', async () => {
    const data = await take(join(directory, 'deep', 'down'))
    expect(data.id).toMatch(/^[0-9a-f]{8}$/)
    const file = join(directory, 'deep', 'down', 'store')
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ format: 1, id: data.id })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(join(directory, 'deep', 'down'))).mode & 0o777).toBe(0o700)
    expect((await readdir(join(directory, 'deep', 'down'))).sort()).toEqual(['lock', 'store'])
  })

  it('keeps its identity', async () => {
    const first = await openDataDirectory(directory)
    await first.unlock()
    expect((await take()).id).toBe(first.id)
  })

  it('two directories have two identities', async () => {
    expect((await take(join(directory, 'a'))).id).not.toBe((await take(join(directory, 'b'))).id)
  })
})

describe('D8: one process owns it', () => {
  it('a second holder is refused in clear words, until the first lets go', async () => {
    const first = await openDataDirectory(directory)
    await refused(`${directory} is in use by another Larder process`)
    await refused('in use')
    await first.unlock()
    await take()
  })

  it('of many at the same time one has it', async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => take()))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('another process is refused, and kill -9 of the holder frees it', async () => {
    const holder = await holdElsewhere(directory)
    await refused('in use')
    const gone = once(holder, 'exit')
    holder.kill('SIGKILL')
    await gone
    await take()
  })

  it('a child of the holder that outlives it does not hold it', async () => {
    const data = await openDataDirectory(directory)
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    await data.unlock()
    await take()
  })
})

describe('what is not ours to use', () => {
  it.each([
    ['of a later version', '{"format":2,"id":"0123abcd"}', /names layout 2; this version reads layout 1$/],
    ['empty', '', /damaged: expected/],
    ['cut short', '{"format":1,"id":"0123', /damaged: expected/],
    ['null', 'null', /damaged: expected/],
    ['a number', '1', /damaged: expected/],
    ['without a layout', '{"id":"0123abcd"}', /damaged: expected/],
    ['with words for a layout', '{"format":"1","id":"0123abcd"}', /damaged: expected/],
    ['without an identity', '{"format":1}', /damaged: "id" must be 8 hex digits$/],
    ['with a strange identity', '{"format":1,"id":"not hex!"}', /damaged: "id" must be 8 hex digits$/],
  ])('D5: an identity %s is refused, left as it is, and the directory is free again', async (_, text, words) => {
    const file = join(directory, 'store')
    await writeFile(file, text)
    await refused(words)
    await refused(file)
    expect(await readFile(file, 'utf8')).toBe(text)
    await writeFile(file, '{"format":1,"id":"0123abcd"}')
    expect((await take()).id).toBe('0123abcd')
  })

  it('a file in its place', async () => {
    directory = join(directory, 'file')
    await writeFile(directory, '')
    await refused(`cannot write to ${directory}`)
  })

  it('an identity that cannot be read', async () => {
    await mkdir(join(directory, 'store'))
    await refused(`cannot read ${join(directory, 'store')}`)
  })

  it('an identity that cannot be written', async () => {
    await mkdir(join(directory, 'store.new'))
    await refused(`cannot write ${join(directory, 'store')}`)
  })

  it.skipIf(process.getuid?.() === 0)('a directory we may not write to (left out for root, who may)', async () => {
    await chmod(directory, 0o500)
    await refused(`cannot write to ${directory}`)
    await chmod(directory, 0o700)
  })
})

/** A process of its own that has the directory; it runs the built store. */
async function holdElsewhere(path: string): Promise<ChildProcess> {
  const module = new URL('../../../dist/storage/disk/data-directory.js', import.meta.url)
  const script = `import { openDataDirectory } from ${JSON.stringify(fileURLToPath(module))}
    await openDataDirectory(${JSON.stringify(path)})
    process.stdout.write('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => {
      throw new Error('the holder ended')
    }),
  ])
  return child
}
