import { validateHeaderName, validateHeaderValue } from 'node:http'
import { cacheKey, checkTarget, keyTarget, pathOf, repositoryOf } from '../caching/cache-key.js'
import { contradictsPin } from '../caching/checksum-rules.js'
import type { RawHeaders } from '../caching/headers.js'
import { maxVariants, type StoredRecord, type StoredResponse } from '../caching/record.js'
import { type Repository, uploaded } from '../caching/repository.js'
import { storable, storedHeaders } from '../caching/storable.js'
import { uploadedHead } from '../caching/upload.js'
import { isLarderError } from '../errors.js'
import type { Offer } from '../storage/intake.js'

/** What may be stored here of a record from elsewhere; why not, where nothing may. An archive is anybody's: nothing of it is believed. */
export function offerOf(
  repository: Repository,
  { key, remote, variants }: StoredRecord,
  force: boolean,
): Offer | string {
  const target = key.slice(repositoryOf(key).length)
  try {
    checkTarget(target)
  } catch (error) {
    if (isLarderError(error)) return error.message
    throw error
  }
  if (target.length > longestTarget) return 'its path is too long'
  if (keyTarget(target, repository.query) !== target)
    return "its query is no part of the key by the repository's settings"
  const path = pathOf(target)
  const now = Date.now()
  if (repository.type === 'group') return 'the repository here is a group, which has nothing of its own'
  const isUpload = remote === uploaded
  if (isUpload !== (repository.type === 'hosted')) {
    return isUpload
      ? 'it was uploaded, and the repository here is no hosted one'
      : 'it was not uploaded, and the repository here is a hosted one'
  }
  if (isUpload && /\?|\/$/.test(target)) return 'nothing can be uploaded under that path'
  const good = variants.slice(0, isUpload ? 1 : maxVariants).flatMap((stored) => {
    const { status, headers, body } = stored
    if (isUpload) return asUpload(repository, path, datedBefore(now, stored))
    const isFit =
      areSound(headers) &&
      isStatus(status) &&
      storable({ headers: [] }, stored, path, repository.caching).store &&
      !contradictsPin(path, repository.integrity, body.digest)
    return isFit ? [datedBefore(now, { ...stored, headers: storedHeaders(headers) })] : []
  })
  if (good.length === 0) return "the repository's settings forbid to store it"
  return { key: cacheKey(repository.name, target), remote, variants: good, force }
}

/** An upload as it would be had it been sent here. */
function asUpload({ integrity }: Repository, path: string, { headers, responseTime, body }: StoredResponse) {
  if (!areSound(headers) || contradictsPin(path, integrity, body.digest)) return []
  return [{ ...uploadedHead(headers, body.digest, Math.max(0, responseTime)), body }]
}

/** Characters of path and query; more are not served. */
const longestTarget = 8 * 1024

const isStatus = (status: number) => status >= 200 && status <= 599

function areSound(headers: RawHeaders): boolean {
  try {
    for (let i = 0; i < headers.length; i += 2) {
      const [name = '', value = ''] = headers.slice(i, i + 2)
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    return true
  } catch {
    return false
  }
}

/** By a clock that went ahead it would be fresh for longer than it is, and newer than all that comes. */
function datedBefore(now: number, stored: StoredResponse): StoredResponse {
  const responseTime = Math.min(stored.responseTime, now)
  return { ...stored, responseTime, requestTime: Math.min(stored.requestTime, responseTime) }
}
