import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { missing, title } from '../../support/servers.js'
import { temporaryDirectory } from '../../support/stage.js'
import { failure, ours, rewrite, theirs } from './fixtures.js'
import { members, plant, texts } from './tree.js'

const run = (directory: string, ...args: string[]) =>
  execFileSync('tar', ['--sort=name', ...args], {
    cwd: directory,
    maxBuffer: 2 ** 28,
    env: { ...process.env, TZ: 'UTC' },
  })

async function planted(): Promise<string> {
  const directory = await temporaryDirectory()
  mkdirSync(join(directory, 'tree'))
  plant(join(directory, 'tree'))
  return directory
}

const owners = ['--owner=somebody:54321', '--group=staff:6543']

/** All that tar tells of each member, in order; sizes of those that change left out. */
function listing(directory: string, archive: string): string[] {
  const lines = run(directory, '-tvf', archive, '--numeric-owner', '--full-time').toString().trimEnd().split('\n')
  return lines.map((line) => {
    const changes = texts.some((text) => line.endsWith(` ${text}`) || line.endsWith(` ./${text}`))
    return changes ? line.replace(/^(\S+\s+\S+)\s+\d+/, '$1 -') : line.replace(/\s+/g, ' ')
  })
}

const formats = [
  ['ustar', ['--format=ustar']],
  ['GNU', ['--format=gnu']],
  ['GNU, sparse', ['--format=gnu', '--sparse']],
  ['old GNU', ['--format=oldgnu']],
  ['pax', ['--format=posix', '--pax-option=exthdr.name=%d/PaxHeaders/%f']],
  ['pax, sparse', ['--format=posix', '--sparse']],
  ['pax, sparse as it was', ['--format=posix', '--sparse', '--sparse-version=0.1']],
  [
    'with a global header, as of git archive',
    ['--format=posix', '--pax-option=globexthdr.name=pax_global_header,comment=0123abc'],
  ],
  ['old tar', ['--format=v7', './bin', './inventory.json', './other/README.md']],
  ['with dots before the names', ['--format=gnu', './bin', './inventory.json', './other']],
] as const

describe('a tar of GNU tar', () => {
  it.each(formats)('%s: is the same one, with other URLs', async (_, options) => {
    const directory = await planted()
    const tree = join(directory, 'tree')
    const names = options.some((option) => option.startsWith('./'))
      ? []
      : ['bin', 'inventory.json', 'deep'.repeat(20), 'other']
    run(tree, '-cf', '../before.tar', ...owners, ...options, ...names)
    const before = readFileSync(join(directory, 'before.tar'))
    const { bytes, outcome } = await rewrite(before, { members })
    writeFileSync(join(directory, 'after.tar'), bytes)
    const count = names.length === 0 ? 2 : 3
    expect(outcome).toEqual({ kind: 'rewritten', files: count, urls: count + 1 })
    expect(listing(directory, 'after.tar')).toEqual(listing(directory, 'before.tar'))
    for (const archive of ['before', 'after']) {
      mkdirSync(join(directory, archive))
      run(join(directory, archive), '-xpf', `../${archive}.tar`, '--numeric-owner')
    }
    for (const path of run(directory, '-tf', 'before.tar').toString().trim().split('\n')) {
      const was = join(directory, 'before', path)
      if (!statSync(was).isFile()) continue
      const content = readFileSync(was)
      const changes =
        texts.includes(path.replace(/^\.\//, '')) || path.endsWith('bin/release') || path.endsWith('bin/detect')
      const expected = changes ? Buffer.from(content.toString('latin1').replaceAll(theirs, ours), 'latin1') : content
      expect([path, readFileSync(join(directory, 'after', path)).equals(expected)]).toEqual([path, true])
    }
    // Once more changes nothing, down to the byte.
    expect((await rewrite(bytes, { members })).bytes.equals(bytes)).toBe(true)
  })

  it('is what it was where nothing fits', async () => {
    const directory = await planted()
    for (const [, options] of formats.slice(0, 7)) {
      run(join(directory, 'tree'), '-cf', '../x.tar', ...owners, ...options, 'bin', 'other', 'inventory.json')
      const before = readFileSync(join(directory, 'x.tar'))
      const { bytes, outcome } = await rewrite(before, { members: ['nothing/**'] })
      expect(bytes.equals(before)).toBe(true)
      expect(outcome).toEqual({ kind: 'rewritten', files: 0, urls: 0 })
      const packed = await rewrite(gzipSync(before), { members: ['nothing/**'] })
      expect(gunzipSync(packed.bytes).equals(before)).toBe(true)
    }
  })

  it('has its trailing blocks kept, whatever is in them', async () => {
    const directory = await planted()
    run(join(directory, 'tree'), '-cf', '../x.tar', '-b', '64', 'inventory.json')
    const before = Buffer.concat([readFileSync(join(directory, 'x.tar')), Buffer.from(`behind the end ${theirs}`)])
    const { bytes } = await rewrite(before)
    const end = before.indexOf(Buffer.alloc(1024), before.indexOf('again'))
    expect(bytes.toString('latin1').endsWith(before.toString('latin1', end + 1024))).toBe(true)
    expect(bytes.length).toBeGreaterThan(before.length - 2 * theirs.length)
  })
})

describe.skipIf(missing('git').length > 0)(title('a tar of git archive, as GitHub has them', 'git'), () => {
  const git = (directory: string, ...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@x.example', ...args], { cwd: directory })

  it('is the same one, with other URLs', async () => {
    const directory = await temporaryDirectory()
    git(directory, 'init', '-q')
    git(directory, 'commit', '-q', '--allow-empty', '-m', 'nothing')
    const nothing = git(directory, 'archive', '--format=tar', 'HEAD')
    expect((await rewrite(nothing)).bytes.equals(nothing)).toBe(true)
    mkdirSync(join(directory, 'bin'))
    writeFileSync(join(directory, 'bin/compile'), theirs, { mode: 0o755 })
    writeFileSync(join(directory, 'README.md'), theirs)
    git(directory, 'add', '.')
    git(directory, 'commit', '-q', '-m', 'something')
    const archive = git(directory, 'archive', '--format=tar.gz', '--prefix=buildpack-1/', 'HEAD')
    const { bytes, outcome } = await rewrite(archive, { members: ['*/bin/**'], once: true })
    expect(outcome).toEqual({ kind: 'rewritten', files: 1, urls: 1 })
    const commit = git(directory, 'rev-parse', 'HEAD').toString()
    expect(execFileSync('git', ['get-tar-commit-id'], { input: gunzipSync(bytes) }).toString()).toBe(commit)
    const content = (path: string) => execFileSync('tar', ['-xzOf', '-', path], { input: bytes }).toString()
    expect(content('buildpack-1/bin/compile')).toBe(ours)
    expect(content('buildpack-1/README.md')).toBe(theirs)
  })
})

describe('a tar that is not whole', () => {
  it('fails wherever it breaks off within a member', async () => {
    const directory = await planted()
    run(
      join(directory, 'tree'),
      '-cf',
      '../x.tar',
      '--format=posix',
      'bin/compile',
      'bin/detect',
      'bin/plain',
      'deep'.repeat(20),
    )
    const whole = readFileSync(join(directory, 'x.tar'))
    const end = whole.length - whole.toReversed().findIndex((byte) => byte !== 0)
    const between = memberStarts(whole)
    for (let length = 512; length < end; length += 256) {
      const expected = between.has(length) ? { kind: 'rewritten' } : 'REWRITE_FAILED'
      const outcome = await failure(whole.subarray(0, length))
      if (typeof expected === 'string') expect([length, outcome]).toEqual([length, expected])
      else expect(outcome).toMatchObject(expected)
    }
  })

  it('fails with a header that is garbled', async () => {
    const directory = await planted()
    run(join(directory, 'tree'), '-cf', '../x.tar', '--format=ustar', 'bin/empty', 'bin/plain', 'bin/compile')
    const whole = readFileSync(join(directory, 'x.tar'))
    for (const at of [512, 512 + 124, 512 + 148, 512 + 156, 512 + 500]) {
      const garbled = Buffer.from(whole)
      garbled[at] = (garbled[at] as number) ^ 0x15
      expect(await failure(garbled)).toBe('REWRITE_FAILED')
    }
  })

  /** Where members begin, their extended headers included: tar itself reads on to an end without blocks of zeros there. */
  function memberStarts(archive: Buffer): ReadonlySet<number> {
    const starts = new Set<number>()
    let inMember = false
    for (let at = 0; at < archive.length && archive[at] !== 0; ) {
      if (!inMember) starts.add(at)
      const type = String.fromCharCode(archive[at + 156] as number)
      const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8)
      inMember = 'xL'.includes(type)
      at += 512 + Math.ceil(size / 512) * 512
    }
    return starts
  }
})

describe('members that no one may trust', () => {
  it.each([
    ['../../etc/passwd', '../**'],
    ['/etc/passwd', '/**'],
    ['a/../../b', 'a/../../b'],
    ['-rf', '*'],
    ['a\nb', '*'],
    ['x'.repeat(90), '*'],
  ])('%s: pass by their names', async (name, fits) => {
    const archive = pack()
    archive.entry({ name }, `x ${theirs}`)
    archive.entry({ name: 'link', type: 'symlink', linkname: name })
    archive.finalize()
    const before = await buffer(archive)
    const { bytes } = await rewrite(before, { members: [fits.replace(/^\//, '')] })
    expect(bytes.subarray(0, 100).equals(before.subarray(0, 100))).toBe(true)
    expect(bytes.length % 512).toBe(0)
  })
})
