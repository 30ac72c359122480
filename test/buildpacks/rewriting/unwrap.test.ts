import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createRewriter } from '../../../src/buildpacks/rewriting/rewriter.js'
import { missing, title } from '../../support/servers.js'
import { temporaryDirectory } from '../../support/stage.js'
import { base, bodyOf, configured, ours, rule, theirs } from './fixtures.js'
import { members, plant, texts } from './tree.js'

const repositories = await configured({ 'lang-jvm': { remote: 'https://lang-jvm.s3.amazonaws.com' } })
const top = 'heroku-buildpack-gradle-49'
const plan = createRewriter({ repositories: () => repositories }).plan(
  { ...rule(...members.map((each) => `*/${each}`)), unwrap: true },
  base,
)

async function unwrap(archive: Buffer): Promise<Buffer> {
  const whole = async () => archive.length
  const chunks: Uint8Array[] = []
  for await (const chunk of plan.rewrite({ headers: [], body: bodyOf(archive), whole }).chunks) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const run = (directory: string, program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: directory, maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'pipe'] })

async function planted(): Promise<string> {
  const directory = await temporaryDirectory()
  mkdirSync(join(directory, top))
  plant(join(directory, top))
  return directory
}

/** Unpacks an archive to a directory of that name. */
function unpack(directory: string, name: string, archive: Buffer, ...options: string[]): string {
  mkdirSync(join(directory, name))
  writeFileSync(join(directory, `${name}.tar`), archive)
  run(directory, 'tar', '-xpf', `${name}.tar`, '-C', name, ...options)
  return join(directory, name)
}

const listing = (directory: string, archive: string): string[] =>
  run(directory, 'tar', '-tf', archive).toString().trimEnd().split('\n')

/** What is other in two trees, files aside whose texts change and what cannot be compared. */
function differences(directory: string, one: string, other: string): string {
  const changing = [...texts, 'bin/release', 'other/pipe'].flatMap((path) => [
    '--exclude',
    path.split('/').at(-1) ?? '',
  ])
  return run(directory, 'diff', '--recursive', '--no-dereference', ...changing, one, other).toString()
}

describe('an archive with all in one directory', () => {
  it.each([
    ['ustar', ['--format=ustar']],
    ['GNU', ['--format=gnu']],
    ['GNU, sparse', ['--format=gnu', '--sparse']],
    ['pax', ['--format=posix']],
    ['pax, sparse', ['--format=posix', '--sparse']],
  ])('%s: unpacks to where it stands, with --strip-components=1 and without', async (_, options) => {
    const directory = await planted()
    run(directory, 'tar', '-cf', 'before.tar', '--sort=name', ...options, top)
    const after = await unwrap(readFileSync(join(directory, 'before.tar')))
    for (const [name, ...how] of [['plain'], ['stripped', '--strip-components=1']] as const) {
      const unpacked = unpack(directory, name, after, ...how)
      expect(differences(directory, top, unpacked)).toBe('')
      for (const text of texts) {
        const was = readFileSync(join(directory, top, text), 'latin1')
        expect(readFileSync(join(unpacked, text), 'latin1')).toBe(was.replaceAll(theirs, ours))
      }
      expect(readFileSync(join(unpacked, 'bin/release'))).toEqual(readFileSync(join(unpacked, 'bin/compile')))
    }
    expect(listing(directory, 'plain.tar')).toEqual(
      listing(directory, 'before.tar').map((name) => name.replace(`${top}/`, './')),
    )
  })

  it('in gzip: is a gzip again', async () => {
    const directory = await planted()
    run(directory, 'tar', '-cf', 'before.tar', top)
    const after = await unwrap(gzipSync(readFileSync(join(directory, 'before.tar'))))
    expect(differences(directory, top, unpack(directory, 'after', after, '--gzip'))).toBe('')
  })

  it.each([
    ['has its members below ./ already', ['-C', top, '.']],
    ['begins with a file', ['-C', top, 'inventory.json', 'bin']],
  ])('one that %s keeps its names', async (_, what) => {
    const directory = await planted()
    run(directory, 'tar', '-cf', 'before.tar', '--sort=name', ...what)
    writeFileSync(join(directory, 'after.tar'), await unwrap(readFileSync(join(directory, 'before.tar'))))
    expect(listing(directory, 'after.tar')).toEqual(listing(directory, 'before.tar'))
  })

  it('members that lie elsewhere keep their names, and so do links that lead elsewhere', async () => {
    const directory = await planted()
    mkdirSync(join(directory, 'elsewhere'))
    run(directory, 'ln', '-s', `${top}/bin/compile`, 'elsewhere/link')
    run(directory, 'tar', '-cf', 'before.tar', `${top}/bin/compile`, 'elsewhere')
    writeFileSync(join(directory, 'after.tar'), await unwrap(readFileSync(join(directory, 'before.tar'))))
    expect(listing(directory, 'after.tar')).toEqual(['./bin/compile', 'elsewhere/', 'elsewhere/link'])
    expect(run(directory, 'tar', '-tvf', 'after.tar').toString()).toContain(`elsewhere/link -> ${top}/bin/compile`)
  })

  it('the plan has another id than one that keeps the names', () => {
    const kept = createRewriter({ repositories: () => repositories }).plan(
      rule(...members.map((each) => `*/${each}`)),
      base,
    )
    expect(plan.id).not.toBe(kept.id)
  })
})

describe.skipIf(missing('git').length > 0)(title('an archive of git', 'git'), () => {
  it('unpacks to where it stands', async () => {
    const directory = await planted()
    const git = (...args: string[]) =>
      run(join(directory, top), 'git', '-c', 'user.name=a', '-c', 'user.email=a@b', ...args)
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'a')
    const after = await unwrap(git('archive', '--format=tar', `--prefix=${top}/`, 'HEAD'))
    const unpacked = unpack(directory, 'after', after)
    expect(listing(directory, 'after.tar')[0]).toBe('./')
    expect(readFileSync(join(unpacked, texts.at(-1) ?? ''), 'latin1')).toBe(`fetch ${ours}`)
    expect(readFileSync(join(unpacked, 'bin/binary'))).toEqual(readFileSync(join(directory, top, 'bin/binary')))
  })
})
