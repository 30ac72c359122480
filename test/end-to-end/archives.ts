import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { extract } from 'tar-stream'
import { run } from '../support/http.js'

/** Files by path. Those below a `bin` or `vendor` may be executed; `{ linkTo }` is a symbolic link. */
export type Tree = Readonly<Record<string, string | Buffer | { readonly linkTo: string }>>

export const tarball = (tree: Tree, compression: '--gzip' | '--zstd' = '--gzip'): Promise<Buffer> =>
  laidOut(tree, async (directory) =>
    program('tar', ['-c', compression, '-f', '-', ...(await readdir(directory))], directory),
  )

/** As Heroku makes those of its buildpacks: all members are below `./`. */
export const publishedArchive = (tree: Tree): Promise<Buffer> =>
  laidOut(tree, (directory) => program('tar', ['-czf', '-', '.'], directory))

/** As GitHub makes them: everything in one directory, behind a global header with the commit. */
export const gitArchive = (tree: Tree, prefix: string): Promise<Buffer> =>
  laidOut(tree, async (directory) => {
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.test', '-c', 'commit.gpgsign=false']
    await program('git', ['init', '-q', '.'], directory)
    await program('git', ['add', '--force', '.'], directory)
    await program('git', [...author, 'commit', '-q', '-m', 'a'], directory)
    return program('git', ['archive', '--format=tar.gz', `--prefix=${prefix}/`, 'HEAD'], directory)
  })

async function program(name: string, args: readonly string[], directory: string): Promise<Buffer> {
  const { code, stdout, stderr } = await run(name, args, directory)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

async function laidOut(tree: Tree, pack: (directory: string) => Promise<Buffer>): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'larder-tree-'))
  try {
    for (const [path, content] of Object.entries(tree)) {
      const file = join(directory, path)
      await mkdir(dirname(file), { recursive: true })
      if (typeof content === 'object' && 'linkTo' in content) await symlink(content.linkTo, file)
      else await writeFile(file, content, { mode: /(?:^|\/)(?:bin|vendor)\//.test(path) ? 0o755 : 0o644 })
    }
    return await pack(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The regular files below a directory, as a tree. */
export async function treeOf(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const read = files.sort().map(async (file) => [file.slice(directory.length + 1), await readFile(file, 'utf8')])
  return Object.fromEntries(await Promise.all(read))
}

export interface Member {
  /** All that its header says, but the size and where it stands. */
  readonly header: Readonly<Record<string, unknown>>
  readonly content: Buffer
}

/** What a gzipped tar holds, in its order. */
export async function membersOf(archive: Buffer): Promise<Member[]> {
  const members: Member[] = []
  for await (const entry of Readable.from([gunzipSync(archive)]).pipe(extract())) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    const { size: _, byteOffset: __, ...header } = entry.header as typeof entry.header & { byteOffset?: number }
    members.push({ header: { ...header }, content: Buffer.concat(chunks) })
  }
  return members
}
