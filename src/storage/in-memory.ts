import type { OpenBody } from './blob-store.js'

/** Bytes that are in memory anyway, as a body that is read by position. */
export const inMemory = (bytes: Uint8Array): OpenBody => ({
  async read(into, position) {
    const part = bytes.subarray(position, position + into.length)
    into.set(part)
    return part.length
  },
  close() {},
})
