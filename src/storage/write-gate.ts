/** PORT. Whether storing is worth trying: once a write failed it pauses until the disk takes bytes again (K7). */
export interface WriteGate {
  /** Whether a body of `length` bytes (`undefined`: not told) may be stored as far as anyone knows. */
  admits(length: number | undefined): boolean
  /** Tells of a fault of the disk; every store driver does, so that it is logged once and not by each who meets it. */
  failed(error: unknown): void
}
