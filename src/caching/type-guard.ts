import { field, type RawHeaders } from './headers.js'

/*
 * U4: captive portals, login forms and error pages come as 200, and would be kept as the archive they were asked for.
 */

const archives =
  /\.(?:tgz|txz|tbz2?|tzst|tar|gz|xz|zst|bz2|lz4|zip|jar|war|ear|aar|whl|egg|nupkg|gem|deb|rpm|apk|phar|exe|msi|7z)$/i

/** Whether a path, without its query, names a file of a format none of which begins as a page does. */
export const namesArchive = (path: string): boolean => archives.test(path)

/** `<` alone says nothing: a phar begins with `<?php`. */
const pageStart = /^<(?:!doctype|!--|\?xml|html|head|body|title|meta|script|error)(?![a-z0-9])/i

/** The longest of them and the character behind. */
const longestStart = '<!doctype '.length

/** What begins with more blanks than this is no page. */
const mostBlanks = 1024

const byteOrderMark = /^\u00ef\u00bb\u00bf/

/**
 * Whether a body that begins with `bytes` is an HTML or XML page; `undefined` where only more of it can tell. `isAll`: there
 * is no more. Pages in UTF-16 are not known.
 */
export function beginsPage(bytes: Uint8Array, isAll: boolean): boolean | undefined {
  const beginning = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, mostBlanks + longestStart))
  const start = beginning.toString('latin1').replace(byteOrderMark, '').trimStart()
  const couldBegin = start === '' || start.startsWith('<') || bytes.length < 3
  if (!isAll && couldBegin && start.length < longestStart && bytes.length < mostBlanks) return undefined
  return pageStart.test(start)
}

/** Whether a head says that its body is a page, for where there is no body to look into. */
export const saysPage = (headers: RawHeaders): boolean =>
  /^\s*(?:text\/html|application\/xhtml\+xml)\s*(?:;|$)/i.test(field(headers, 'content-type') ?? '')
