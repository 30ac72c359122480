import { withPaxValues } from './pax.js'
import { paddingOf, typeOf, withLinkBeginning, withPathBeginning, withSize } from './tar-header.js'
import { type Extension, type Member, recordsOf } from './tar-member.js'

/**
 * Renames the directory that an archive begins with to `.`: what GitHub makes of a repository's sources is then packed as
 * published buildpacks are, and unpacks to the same place with `--strip-components=1` and without. For the members of one
 * archive, in their order; those that lie elsewhere keep their names.
 */
export function createUnwrapping(): (member: Member) => Member {
  let top: Buffer | undefined
  return (member) => {
    top ??= topOf(member.path)
    return top.length === 0 ? member : renamed(member, top)
  }
}

/** The first directory of a path with its slash; empty where there is none that could be called otherwise. */
function topOf(path: Buffer): Buffer {
  const top = path.subarray(0, path.indexOf(0x2f) + 1)
  return ['', '/', './', '../'].includes(top.toString('latin1')) ? Buffer.alloc(0) : top
}

const here = Buffer.from('./')

/** Each place that tells of a path, by itself: which of them counts is the same before and after. */
function renamed({ extensions, header, ...member }: Member, top: Buffer): Member {
  const change = (path: Buffer) =>
    path.subarray(0, top.length).equals(top) ? Buffer.concat([here, path.subarray(top.length)]) : path
  // A symbolic link leads on from where it stands; a hard link names a member.
  const isHardLink = typeOf(header) === '1'
  const withPath = withPathBeginning(header, change)
  return {
    ...member,
    header: isHardLink ? withLinkBeginning(withPath, change) : withPath,
    extensions: extensions.map((extension) => renamedIn(extension, change, isHardLink)),
  }
}

function renamedIn(extension: Extension, change: (path: Buffer) => Buffer, isHardLink: boolean): Extension {
  const type = typeOf(extension.header)
  const { blocks, size } = extension
  const content = blocks.subarray(0, size)
  if (type === 'L' || (type === 'K' && isHardLink)) return withContent(extension, change(content))
  if (!'xX'.includes(type)) return extension
  const keys = ['path', 'GNU.sparse.name', ...(isHardLink ? ['linkpath'] : [])]
  return withContent(extension, withPaxValues(recordsOf([extension], 'xX'), keys, change))
}

function withContent({ header }: Extension, content: Buffer): Extension {
  const blocks = Buffer.concat([content, Buffer.alloc(paddingOf(content.length))])
  return { header: withSize(header, content.length), size: content.length, blocks }
}
