import { statfs } from 'node:fs/promises'

/** Bytes of so many percent of the volume that holds the directory, whatever else is on it. */
export async function shareOfVolume(directory: string, percent: number): Promise<number> {
  const { blocks, bsize } = await statfs(directory)
  return Math.floor((blocks * bsize * percent) / 100)
}

/** Bytes that may still be written to the volume that holds the directory. */
export async function freeOnVolume(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
