import { getSystemErrorName } from 'node:util'

/** Why a disk takes no bytes; a closed set, for `/readyz` and the metrics name it. */
export const diskFaults = ['disk full', 'disk read-only', 'disk not writable', 'data directory gone'] as const

export type DiskFault = (typeof diskFaults)[number]

const faultOfCode: Readonly<Record<string, DiskFault>> = {
  ENOSPC: 'disk full',
  EDQUOT: 'disk full',
  EROFS: 'disk read-only',
}

/** What an error from the disk, or one it caused, says. lmdb gives the bare number where Node gives a name. */
export function diskFaultOf(error: unknown): DiskFault {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code: unknown = 'code' in at ? at.code : undefined
    const name = typeof code === 'number' && code > 0 ? getSystemErrorName(-code) : String(code)
    const fault = faultOfCode[name]
    if (fault) return fault
  }
  return 'disk not writable'
}
