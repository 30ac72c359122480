import type { Limits } from './limits.js'
import type { Places } from './places.js'
import { replaceUrls } from './replace-urls.js'

export interface TextRewriter {
  /** The text with its URLs replaced; `undefined` for one that has none, and for what is no text. Counts what it does. */
  rewrite(content: Buffer): Promise<Buffer | undefined>
  /** So far. */
  done(): { readonly files: number; readonly urls: number }
}

/** How the members of an archive are rewritten. */
export interface MemberRewriting {
  readonly text: TextRewriter
  /** Whether a member of this path is looked into. */
  readonly fits: (path: string) => boolean
  /** Whether the directory that a tar begins with becomes `.`. */
  readonly unwrap?: boolean
  readonly limits: Limits
}

/** What has a NUL in it is no text (nor is UTF-16, which has many). */
export const hasNul = (bytes: Buffer): boolean => bytes.includes(0)

export function createTextRewriter(places: Places, base: string): TextRewriter {
  let files = 0
  let urls = 0
  return {
    rewrite: async (content) => {
      if (hasNul(content)) return undefined
      // As latin1 each byte is a character, and the same byte again, whatever the text is encoded in.
      const replaced = await replaceUrls(content.toString('latin1'), places, base)
      if (replaced.urls === 0) return undefined
      files += 1
      urls += replaced.urls
      return Buffer.from(replaced.text, 'latin1')
    },
    done: () => ({ files, urls }),
  }
}
