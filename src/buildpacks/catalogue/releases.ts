/** Releases by number: `v49` is 49. Both ends belong to it; without an end it is open. */
export interface Releases {
  readonly since?: number
  readonly until?: number
}

/** The release of whoever does not pin one: later than any known. */
export const newest = Number.POSITIVE_INFINITY

export const isAmong = ({ since = 0, until = newest }: Releases, release: number): boolean =>
  since <= release && release <= until
