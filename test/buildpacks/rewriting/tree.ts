import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { noise } from '../../support/stage.js'
import { theirs } from './fixtures.js'

/** A path longer than a tar's header has room for, in one of its formats or all. */
const longPath = (length: number): string => {
  const segment = `${'deep'.repeat(20)}/`
  return `${segment.repeat(Math.ceil(length / segment.length))}common.sh`
}

/** Files that are texts with a URL in them, whose names `members` fits. */
export const texts = ['bin/compile', 'inventory.json', longPath(150)]

export const members = ['bin/**', 'inventory.json', '**/common.sh']

/** Such as a buildpack has: scripts, binaries, links, odd modes and times. */
export function plant(directory: string): void {
  const put = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), content)
  }
  put('bin/compile', `#!/usr/bin/env bash\n# \xe9\xff\ncurl ${theirs} | tar xz\n`)
  put('bin/binary', Buffer.concat([Buffer.from(`${theirs}\0`), noise(100_000)]))
  put('bin/plain', 'no URL in it\n'.repeat(100))
  put('bin/empty', '')
  put('inventory.json', JSON.stringify({ url: theirs, more: 'x'.repeat(70_000), again: theirs }))
  put(longPath(150), `fetch ${theirs}`)
  put('other/README.md', `see ${theirs}`)
  // Pieces of text among holes, more of them than a header lists; without the holes it looks like a text.
  put('bin/sparse', '')
  for (let piece = 1; piece <= 40; piece += 1) {
    truncateSync(join(directory, 'bin/sparse'), piece * 65_536)
    writeFileSync(join(directory, 'bin/sparse'), theirs.padEnd(4096, '\n'), { flag: 'a' })
  }
  symlinkSync('compile', join(directory, 'bin/detect'))
  linkSync(join(directory, 'bin/compile'), join(directory, 'bin/release'))
  execFileSync('mkfifo', [join(directory, 'other/pipe')])
  chmodSync(join(directory, 'bin/compile'), 0o4755)
  chmodSync(join(directory, 'other'), 0o1777)
  utimesSync(join(directory, 'inventory.json'), 1_234_567_890.123, 1_234_567_890.123)
}
