import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { missing, title } from '../../support/servers.js'
import { noise, temporaryDirectory } from '../../support/stage.js'
import { bodyOf, ours, rewrite, start, theirs } from './fixtures.js'

const untouched = (why: string) => ({ kind: 'untouched', why })
const script = `#!/bin/sh\ncurl ${theirs}\n${'x'.repeat(5000)}`
const scriptAfter = script.replace(theirs, ours)

describe.skipIf(missing('zip', 'unzip').length > 0)(title('zips', 'zip', 'unzip'), () => {
  async function planted(): Promise<string> {
    const directory = await temporaryDirectory()
    for (const path of ['bin', 'META-INF', 'x-1.dist-info']) mkdirSync(join(directory, path))
    const files = {
      'bin/compile': script,
      'bin/binary': Buffer.concat([Buffer.from(`${theirs}\0`), noise(5000)]),
      'bin/empty': '',
      'inventory.json': theirs,
      'README.md': `see ${theirs}`,
      'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\n',
    }
    for (const [path, content] of Object.entries(files)) writeFileSync(join(directory, path), content)
    chmodSync(join(directory, 'bin/compile'), 0o4750)
    utimesSync(join(directory, 'README.md'), 1_234_567_890, 1_234_567_890)
    symlinkSync('compile', join(directory, 'bin/detect'))
    return directory
  }

  const run = (directory: string, program: 'zip' | 'unzip' | 'zipinfo', args: readonly string[], input = '') =>
    execFileSync(program, args, {
      cwd: directory,
      input,
      env: { ...process.env, TZ: 'UTC' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })

  async function zipped(directory: string, ...options: string[]): Promise<Buffer> {
    run(directory, 'zip', ['-q', '-r', 'before.zip', '.', '-i', '*', ...options])
    return readFileSync(join(directory, 'before.zip'))
  }

  /** What zipinfo tells of each entry but of its bytes: name, system, method, time, mode, extra fields. */
  const listing = (directory: string, name: string) =>
    run(directory, 'zipinfo', ['-v', name])
      .toString()
      .split('\n')
      .filter((line) =>
        /^ {2}(?:\S+$|file |version|compression|apparent|Unix|MS-DOS|length of|.*extra field)/.test(line),
      )

  it.each([
    ['as zip makes them', []],
    ['stored', ['-0']],
    ['packed as well as can be', ['-9']],
    ['without extra fields', ['-X']],
    ['with links', ['-y']],
    ['with descriptors', ['-fd']],
  ])('%s: the same one, with other URLs', async (_, options) => {
    const directory = await planted()
    const before = await zipped(directory, ...options)
    const { bytes, outcome } = await rewrite(before, { members: ['bin/**', 'inventory.json'] })
    // A link that is followed is a file of its own.
    const isFollowed = !options.includes('-y')
    expect(outcome).toEqual({ kind: 'rewritten', files: isFollowed ? 3 : 2, urls: isFollowed ? 3 : 2 })
    writeFileSync(join(directory, 'after.zip'), bytes)
    run(directory, 'unzip', ['-tq', 'after.zip'])
    expect(listing(directory, 'after.zip')).toEqual(listing(directory, 'before.zip'))
    const read = (archive: string, path: string) => run(directory, 'unzip', ['-p', archive, path])
    expect(read('after.zip', 'bin/compile').toString()).toBe(scriptAfter)
    expect(read('after.zip', 'inventory.json').toString()).toBe(ours)
    for (const path of ['bin/binary', 'README.md', 'META-INF/MANIFEST.MF']) {
      expect(read('after.zip', path).equals(read('before.zip', path))).toBe(true)
    }
    expect((await rewrite(bytes, { members: ['bin/**', 'inventory.json'] })).bytes.equals(bytes)).toBe(true)
    expect(
      (await rewrite(before, { members: ['bin/**', 'inventory.json'], atOnce: () => 1000 })).bytes.equals(bytes),
    ).toBe(true)
  })

  it('has its comments kept', async () => {
    const directory = await planted()
    run(directory, 'zip', ['-q', '-c', 'before.zip', 'inventory.json', 'README.md'], 'of the one\nof the other\n')
    run(directory, 'zip', ['-q', '-z', 'before.zip'], 'of the archive\n.\n')
    const { bytes } = await rewrite(readFileSync(join(directory, 'before.zip')))
    writeFileSync(join(directory, 'after.zip'), bytes)
    expect(run(directory, 'unzip', ['-z', 'after.zip']).toString()).toContain('of the archive')
    expect(run(directory, 'zipinfo', ['-v', 'after.zip']).toString()).toMatch(/of the one.*of the other/s)
  })

  it('is the same bytes where nothing fits', async () => {
    const before = await zipped(await planted())
    const { bytes, outcome } = await rewrite(before, { members: ['nothing'] })
    expect(bytes.equals(before)).toBe(true)
    expect(outcome).toEqual({ kind: 'rewritten', files: 0, urls: 0 })
  })

  it('keeps its entries that are encrypted', async () => {
    const directory = await planted()
    run(directory, 'zip', ['-q', '-P', 'secret', 'before.zip', 'inventory.json'])
    run(directory, 'zip', ['-q', 'before.zip', 'bin/compile'])
    const { bytes, outcome } = await rewrite(readFileSync(join(directory, 'before.zip')))
    expect(outcome).toEqual({ kind: 'rewritten', files: 1, urls: 1 })
    writeFileSync(join(directory, 'after.zip'), bytes)
    run(directory, 'unzip', ['-tq', '-P', 'secret', 'after.zip'])
    expect(run(directory, 'unzip', ['-p', '-P', 'secret', 'after.zip', 'inventory.json']).toString()).toBe(theirs)
  })

  it.each([
    'META-INF/X.SF',
    'META-INF/X.RSA',
    'META-INF/x.dsa',
    'META-INF/X.EC',
    'x-1.dist-info/RECORD',
    '.signature.p7s',
  ])('is left alone with a %s in it', async (path) => {
    const directory = await planted()
    writeFileSync(join(directory, path), 'signature')
    const before = await zipped(directory)
    const { bytes, outcome } = await rewrite(before)
    expect(outcome).toEqual(untouched('signed'))
    expect(bytes.equals(before)).toBe(true)
  })

  it.each([
    ['with something before it', async (directory: string) => Buffer.concat([noise(100), await zipped(directory)])],
    [
      'made to run by itself',
      async (directory: string) => {
        const bytes = Buffer.concat([Buffer.from('PK\x03\x04 not yet'), await zipped(directory)])
        writeFileSync(join(directory, 'x.zip'), bytes)
        run(directory, 'zip', ['-qA', 'x.zip'])
        return readFileSync(join(directory, 'x.zip'))
      },
    ],
    [
      'in zip64',
      async (directory: string) => {
        run(directory, 'zip', ['-q', '-fz', 'before.zip', 'inventory.json'])
        return readFileSync(join(directory, 'before.zip'))
      },
    ],
    ['with something behind it', async (directory: string) => Buffer.concat([await zipped(directory), noise(10)])],
    ['cut', async (directory: string) => (await zipped(directory)).subarray(0, -30)],
    [
      'with a gap',
      async (directory: string) => {
        const before = await zipped(directory)
        const at = before.lastIndexOf('PK\x05\x06')
        const listing = before.readUInt32LE(at + 16)
        const moved = Buffer.concat([
          before.subarray(0, listing),
          Buffer.from('APK Sig Block 42'),
          before.subarray(listing),
        ])
        moved.writeUInt32LE(listing + 16, at + 16 + 16)
        return moved
      },
    ],
  ])('is left alone: %s', async (_, made) => {
    const before = await made(await planted())
    const { bytes, outcome } = await rewrite(before)
    expect(outcome).toEqual(untouched('format'))
    expect(bytes.equals(before)).toBe(true)
  })

  it('is left alone where it comes in only once', async () => {
    const before = await zipped(await planted())
    const { bytes, outcome } = await rewrite(before, { once: true })
    expect(outcome).toEqual(untouched('format'))
    expect(bytes.equals(before)).toBe(true)
  })

  it('is left alone where its offsets might outgrow it', async () => {
    const { chunks, outcome } = start(bodyOf(Buffer.from('PK\x03\x04')), 2 ** 32)
    for await (const chunk of chunks) expect(Buffer.from(chunk).toString()).toBe('PK\x03\x04')
    expect(outcome()).toEqual(untouched('size'))
  })

  it('that comes by a pipe is whole, whatever of it is rewritten', async () => {
    const directory = await planted()
    const piped = execFileSync('zip', ['-q', '-', '-'], { cwd: directory, input: theirs })
    const { bytes } = await rewrite(piped)
    writeFileSync(join(directory, 'after.zip'), bytes)
    run(directory, 'unzip', ['-tq', 'after.zip'])
  })

  it('keeps an entry whose sizes might stand in two places', async () => {
    const directory = await planted()
    run(directory, 'zip', ['-q', '-X', '-0', 'before.zip', 'inventory.json'])
    const plain = readFileSync(join(directory, 'before.zip'))
    const header = 30 + 'inventory.json'.length
    const extra = Buffer.alloc(20)
    extra.writeUInt16LE(1, 0)
    extra.writeUInt16LE(16, 2)
    const before = Buffer.concat([plain.subarray(0, header), extra, plain.subarray(header)])
    before.writeUInt16LE(extra.length, 28)
    const end = before.lastIndexOf('PK\x05\x06')
    before.writeUInt32LE(before.readUInt32LE(end + 16) + extra.length, end + 16)
    const { bytes, outcome } = await rewrite(before)
    expect(bytes.equals(before)).toBe(true)
    expect(outcome).toEqual({ kind: 'rewritten', files: 0, urls: 0 })
  })

  it('unpacks no entry that is larger than it says, or large', async () => {
    const directory = await planted()
    writeFileSync(join(directory, 'bomb'), Buffer.concat([Buffer.from(theirs), Buffer.alloc(5_000_000, 'x')]))
    run(directory, 'zip', ['-q', 'before.zip', 'bomb', 'inventory.json'])
    const before = readFileSync(join(directory, 'before.zip'))
    const small = await rewrite(before, { limits: { text: 100_000 } })
    expect(small.outcome).toEqual({ kind: 'rewritten', files: 1, urls: 1 })
    writeFileSync(join(directory, 'after.zip'), small.bytes)
    run(directory, 'unzip', ['-tq', 'after.zip'])
    // Its sizes say less, in both places.
    for (const at of [22, before.indexOf('PK\x01\x02') + 24]) before.writeUInt32LE(1000, at)
    const lying = await rewrite(before)
    expect(lying.outcome).toEqual({ kind: 'rewritten', files: 1, urls: 1 })
    const start = before.indexOf('PK\x03\x04', 4)
    expect(lying.bytes.subarray(0, start).equals(before.subarray(0, start))).toBe(true)
  })

  it('is left alone where what is looked into unpacks to too much in all', async () => {
    const directory = await planted()
    for (const name of ['a', 'b', 'c']) writeFileSync(join(directory, name), Buffer.alloc(400_000, theirs))
    run(directory, 'zip', ['-q', 'before.zip', 'a', 'b', 'c', 'inventory.json'])
    const before = readFileSync(join(directory, 'before.zip'))
    const limits = { expanded: 1_000_000 }
    const { bytes, outcome } = await rewrite(before, { limits })
    expect([outcome, bytes.equals(before)]).toEqual([untouched('size'), true])
    expect((await rewrite(before, { limits, members: ['inventory.json'] })).outcome).toMatchObject({ files: 1 })
  })

  it('with hostile names keeps them, and its hostile sizes harm nobody', async () => {
    const directory = await planted()
    run(directory, 'zip', ['-q', 'before.zip', 'README.md', 'inventory.json'])
    const before = readFileSync(join(directory, 'before.zip'))
    const renamed = Buffer.from(before.toString('latin1').replaceAll('README.md', '../../etc'), 'latin1')
    const { bytes, outcome } = await rewrite(renamed)
    expect(outcome).toEqual({ kind: 'rewritten', files: 1, urls: 1 })
    expect(bytes.toString('latin1').split('../../etc').length).toBe(3)
    for (let at = 0; at < before.length; at += 1) {
      const garbled = Buffer.from(before)
      garbled[at] = (garbled[at] as number) ^ 0xff
      const result = await rewrite(garbled)
      const unchanged = result.outcome.kind === 'untouched' ? garbled : (await rewrite(result.bytes)).bytes
      expect(result.bytes.equals(unchanged)).toBe(true)
    }
  })
})
