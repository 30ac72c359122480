/** What one body may cost. */
export interface Limits {
  /** Bytes of a text, on its own or in an archive, that is held in memory whole; a larger one stays as it is. */
  readonly text: number
  /** Bytes that may come out of a compressed body in all; one with more is a bomb. */
  readonly expanded: number
  /** Gzips within gzips that are opened. */
  readonly depth: number
  /** Bytes of what stands before a member of a tar and belongs to it, or of what a zip lists. */
  readonly listing: number
}

const mebibyte = 1024 * 1024

export const usualLimits: Limits = {
  text: 8 * mebibyte,
  expanded: 4 * 1024 * mebibyte,
  depth: 4,
  listing: 16 * mebibyte,
}
