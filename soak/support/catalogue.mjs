import { createHash } from 'node:crypto'

/**
 * What the remote has, as remote and clients both work it out: bodies are stretches of one block of noise, and a mutable
 * artifact has a new version every `period`, so nobody need tell anybody what is right.
 *
 * @typedef {object} Artifact
 * @property {string} path
 * @property {number} period ms between versions; `Infinity` for one that never changes
 * @property {boolean} tagged whether it has an ETag
 * @property {boolean} chunked whether its length is not told
 */

const KIB = 1024
const NOISE = createHash('shake256', { outputLength: 8 * KIB * KIB })
  .update('soak')
  .digest()
const PERIOD_MS = 9_000

/** @param {number} count */
export function catalogue(count) {
  return Array.from({ length: count }, (_, i) => artifact(i))
}

/**
 * @param {number} i
 * @returns {Artifact}
 */
function artifact(i) {
  const mutable = i % 4 === 0
  return {
    path: `/${mutable ? 'mutable' : 'fixed'}/${i % 10}/${i}.bin`,
    period: mutable ? PERIOD_MS : Number.POSITIVE_INFINITY,
    // What changes without a validator could not be put together again once cut.
    tagged: mutable || i % 5 !== 1,
    chunked: i % 7 === 2,
  }
}

/**
 * @param {Artifact} artifact
 * @param {number} time ms since the epoch
 */
export const versionAt = ({ period }, time) => (period === Number.POSITIVE_INFINITY ? 0 : Math.floor(time / period))

/**
 * @param {Artifact} artifact
 * @param {number} version
 */
export function bodyOf({ path }, version) {
  const hash = createHash('sha256').update(`${path} ${version}`).digest()
  const size = sizeOf(hash.readUInt16BE(0), hash.readUInt32BE(2))
  const from = hash.readUInt32BE(8) % (NOISE.length - size + 1)
  return NOISE.subarray(from, from + size)
}

/**
 * Most are small, a few are large.
 *
 * @param {number} kind
 * @param {number} n
 */
function sizeOf(kind, n) {
  if (kind % 10 < 5) return 1 + (n % (16 * KIB))
  if (kind % 10 < 9) return 16 * KIB + (n % (300 * KIB))
  return 512 * KIB + (n % (1536 * KIB))
}

/**
 * @param {Artifact} artifact
 * @param {number} version
 */
export const tagOf = ({ path }, version) => `"${version}-${createHash('md5').update(path).digest('hex')}"`
