import { execFileSync } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A small file system of its own, for as long as the test runs. */
export interface Volume {
  readonly path: string
  /** Leaves no byte free. */
  fill(): Promise<void>
  /** Takes away what `fill` put there. */
  free(): Promise<void>
  /** Mounted anew with these options. */
  remount(options: string): void
}

const call = (program: string, ...args: string[]): void => void execFileSync(program, args, { stdio: 'ignore' })
const mount = (...args: string[]) => call('mount', ...args)

function tries(action: () => void): boolean {
  try {
    action()
    return true
  } catch {
    return false
  }
}

/** Why small file systems can't be had here, if so; said loudly, for what they alone show is left out then. */
export async function whyNoVolumes(): Promise<string | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'larder-mount-'))
  const mounts = tries(() => mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path))
  if (mounts) call('umount', path)
  await rm(path, { recursive: true })
  if (mounts) return undefined
  process.stderr.write('\n!!! file systems may not be mounted here: the tests on small disks are LEFT OUT.\n\n')
  return 'file systems may not be mounted here'
}

/** A tmpfs, with options such as `size=12m`. */
export function tmpfs(options: string): Promise<Volume> {
  return volume((path) => mount('-t', 'tmpfs', '-o', options, 'tmpfs', path))
}

/** An ext4 of so many MiB in a file; `undefined` where there are no loop devices. */
export async function ext4(mebibytes: number): Promise<Volume | undefined> {
  const image = join(await mkdtemp(join(tmpdir(), 'larder-image-')), 'image')
  onTestFinished(() => rm(join(image, '..'), { recursive: true }))
  call('truncate', '-s', `${mebibytes}M`, image)
  const make = () => call('mkfs.ext4', '-q', '-F', image)
  return tries(make) ? volume((path) => mount('-o', 'loop', image, path)).catch(() => undefined) : undefined
}

async function volume(mounted: (path: string) => void): Promise<Volume> {
  const path = await mkdtemp(join(tmpdir(), 'larder-volume-'))
  const ballast = join(path, 'ballast')
  onTestFinished(async () => {
    tries(() => call('umount', '-l', path))
    await rm(path, { recursive: true, force: true })
  })
  mounted(path)
  return {
    path,
    async fill() {
      const file = await open(ballast, 'a')
      const write = (size: number): Promise<void> => file.write(Buffer.alloc(size)).then(() => write(size))
      // In ever smaller pieces, to the last byte.
      for (const size of [1024 * 1024, 64 * 1024, 4096, 512]) await write(size).catch(() => {})
      await file.close()
    },
    free: () => rm(ballast),
    remount: (options) => void mount('-o', `remount,${options}`, path),
  }
}
