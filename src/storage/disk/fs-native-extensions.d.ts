declare module 'fs-native-extensions' {
  /** Takes an exclusive lock on the open file; false if another holder has it. The kernel frees it when the file closes. */
  export function tryLock(fd: number): boolean
}
