import { statfs } from 'node:fs/promises'

/**
 * Bytes of so many percent of what others leave of the volume that holds the directory; `held` bytes of it are ours already,
 * and stay so. Of the whole volume a store beside others would never get so much, and never evict anything.
 */
export async function shareOfVolume(directory: string, percent: number, held: number): Promise<number> {
  const left = (await freeOnVolume(directory)) + held
  return Math.max(held, Math.floor((left * percent) / 100))
}

/** Bytes that may still be written to the volume that holds the directory. */
export async function freeOnVolume(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
