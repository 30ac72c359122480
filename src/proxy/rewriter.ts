import type { RawHeaders } from '../caching/headers.js'
import type { RewriteRule } from '../caching/repository.js'
import type { OpenBody } from '../storage/blob-store.js'

/** PORT. Makes of a body the one that is served in its place: with the URLs of configured remotes replaced by our own. */
export interface Rewriter {
  /** `base`: what our own URLs begin with, up to `/repository/...`. */
  plan(rule: RewriteRule, base: string): RewritePlan
}

export interface RewritePlan {
  /**
   * Stands for all that the outcome depends on but the original: rule, base, what is configured, the rewriter itself. Plans
   * with the same id make the same bytes of the same original.
   */
  readonly id: string
  rewrite(original: Original): Rewriting
}

export interface Original {
  /** Its `Content-Encoding` is looked at. */
  readonly headers: RawHeaders
  /** May be coming in still: reads wait for its bytes. Never closed by the rewriter. */
  readonly body: OpenBody
  /** Resolves with its size once all of it can be read in any order; `undefined` where it can be read from its beginning only. */
  whole(): Promise<number | undefined>
}

export interface Rewriting {
  /**
   * Nothing of the end is among them before the original has ended well. Throws what reading the original throws, and
   * `REWRITE_FAILED` where what it is can't be told before some of it is out.
   */
  readonly chunks: AsyncIterable<Uint8Array>
  /** What was done; once the chunks have ended. */
  outcome(): RewriteOutcome
}

export type RewriteOutcome =
  /** `files`: those that have other bytes now; `urls`: in them. */
  | { readonly kind: 'rewritten'; readonly files: number; readonly urls: number }
  /** The chunks are the original's. */
  | { readonly kind: 'untouched'; readonly why: WhyUntouched }

export type WhyUntouched =
  /** It has a signature inside that other bytes would belie. */
  | 'signed'
  /** No format that is known. */
  | 'format'
  /** A `Content-Encoding` that is not known. */
  | 'encoding'
  /** Larger than what is held in memory for it. */
  | 'size'
