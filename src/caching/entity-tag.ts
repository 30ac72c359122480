import { fieldLines, type RawHeaders } from './headers.js'

/** A response's `ETag`, quotes and all. */
export function entityTag(headers: RawHeaders): string | undefined {
  return fieldLines(headers, 'etag')[0] || undefined
}

const isWeak = (tag: string) => tag.startsWith('W/')
const opaque = (tag: string) => (isWeak(tag) ? tag.slice(2) : tag)

/** RFC 9110 §8.8.3.2: byte for byte the same, and promised to be so. */
export const strongMatch = (a: string, b: string): boolean => a === b && !isWeak(a)

export const weakMatch = (a: string, b: string): boolean => opaque(a) === opaque(b)

/** Whether a list of entity tags (`If-Match`, `If-None-Match`) names `tag`; `*` names whatever there is. */
export function tagListed(list: string, tag: string | undefined, match: typeof weakMatch): boolean {
  if (list.trim() === '*') return true
  if (tag === undefined) return false
  // Some servers send their tag without quotes, and clients send it back so.
  if (match(list.trim(), tag)) return true
  return (list.match(/(?:W\/)?"[^"]*"/g) ?? []).some((listed) => match(listed, tag))
}
