import { cacheKey, checkTarget, keyTarget } from '../caching/cache-key.js'
import type { Repository } from '../caching/repository.js'
import { isLarderError, LarderError } from '../errors.js'
import { fileIn } from './archive.js'
import { type Candidate, selectCandidates } from './filters.js'
import { buildpackCandidates, inventoryCandidates } from './inventories.js'
import { mavenCandidates, s3Page, s3Target, shasumsCandidates } from './listings.js'
import { kindOf, type SourceKind, type WarmSource } from './order.js'
import { expandPattern, mostItems, tooMany } from './patterns.js'
import { isUrl, type Place, placeOfUrl, splitItem } from './places.js'

/** What the planning of a warm-up needs to know of the server. */
export interface Surroundings {
  repositories(): readonly Repository[]
  find(nameOrAlias: string): Repository | undefined
  /** The bytes of an artifact; `validated`: its remote's word is wanted, however fresh a copy is. Throws `LarderError`. */
  read(place: Place, validated: boolean): Promise<Uint8Array>
}

/** Something that was asked for and can't even be tried. */
interface Misfit {
  /** `<repository>/<path>`, or what was written in its place. */
  readonly item: string
  readonly error: LarderError
}

export interface Plan {
  /** Each once. */
  readonly places: readonly Place[]
  readonly misfits: readonly Misfit[]
}

interface Wanted {
  readonly items: readonly string[]
  readonly from: readonly WarmSource[]
}

/** All artifacts an order means. Throws `REQUEST_INVALID` where they are too many, and what `read` throws but for `LarderError`. */
export async function planWarmUp({ items, from }: Wanted, surroundings: Surroundings): Promise<Plan> {
  const places = new Map<string, Place>()
  const misfits: Misfit[] = []

  let tried = 0
  /** A fault of one item is no reason to leave the others. */
  const add = (item: string, find: () => Place) => {
    tried += 1
    if (tried > mostItems) throw tooMany('what is asked for stands')
    try {
      const place = find()
      const { repository, target } = place
      places.set(cacheKey(repository.name, keyTarget(target, repository.query)), place)
    } catch (error) {
      misfits.push({ item, error: ownFault(error) })
    }
  }

  for (const pattern of items) {
    for (const item of expandPattern(pattern)) add(item, () => placeOf(item, surroundings))
  }
  for (const source of from) {
    const kind = kindOf(source)
    if (!kind) continue
    for (const written of expandPattern(source[kind] ?? '')) {
      try {
        const list = placeOf(written, surroundings, kind === 's3')
        const chosen = selectCandidates(await readers[kind](list, source, surroundings), source)
        if (chosen.length === 0) throw nothing('it lists nothing that fits the filters')
        for (const { location } of chosen) add(location, () => placeOfCandidate(location, list, surroundings))
      } catch (error) {
        misfits.push({ item: written, error: ownFault(error) })
      }
    }
  }
  return { places: [...places.values()], misfits }
}

function ownFault(error: unknown): LarderError {
  if (isLarderError(error) && error.code !== 'REQUEST_INVALID') return error
  throw error
}

function placeOf(item: string, { repositories, find }: Surroundings, mayBeAll = false): Place {
  if (isUrl(item)) return checked(placeOfUrl(item, repositories()), item)
  const { name, target } = splitItem(item)
  if (target === '/' && !mayBeAll) throw new LarderError('PATH_INVALID', 'expected <repository>/<path>')
  const repository = find(name)
  if (!repository) throw new LarderError('REPOSITORY_UNKNOWN', `no repository or alias is named "${name}"`)
  return checked({ repository, target }, item)
}

function placeOfCandidate(location: string, { repository }: Place, { repositories }: Surroundings): Place {
  if (isUrl(location)) return checked(placeOfUrl(location, repositories()), location)
  return checked({ repository, target: `/${location}` }, location)
}

function checked(place: Place | undefined, written: string): Place {
  if (!place) throw new LarderError('REPOSITORY_UNKNOWN', `no repository stands for ${new URL(written).origin}`)
  checkTarget(place.target)
  return place
}

type Reader = (list: Place, source: WarmSource, surroundings: Surroundings) => Promise<readonly Candidate[]>

const readers: Readonly<Record<SourceKind, Reader>> = {
  inventory: (list, { file = 'inventory.json' }, { read }) => fromFile(list, file, inventoryCandidates, read),
  buildpack: (list, { file = 'buildpack.toml' }, { read }) => fromFile(list, file, buildpackCandidates, read),

  async shasums(list, _, { read }) {
    const path = pathOf(list)
    return shasumsCandidates(text(await read(list, false)), path.slice(0, path.lastIndexOf('/') + 1))
  },

  async maven({ repository, target }, { files = ['{artifact}-{version}.jar'] }, { read }) {
    const directory = target.replace(/\/(?:maven-metadata\.xml)?$/, '')
    const metadata = await read({ repository, target: `${directory}/maven-metadata.xml` }, false)
    return mavenCandidates(text(metadata), directory.slice(1), files)
  },

  async s3({ repository, target }, _, { read }) {
    const candidates: Candidate[] = []
    let token: string | undefined
    do {
      const page = s3Target(target.slice(1), token)
      if (keyTarget(page, repository.query) !== page) {
        throw nothing('the repository does not forward the query that asks for a listing (query: forward does)')
      }
      const answer = s3Page(text(await read({ repository, target: page }, true)))
      if (!answer) throw nothing('its remote answers with something else than the listing of a bucket')
      candidates.push(...answer.candidates)
      token = answer.token
      if (candidates.length > mostListed)
        throw nothing(`it lists more than ${mostListed} objects: name a longer prefix`)
    } while (token !== undefined)
    return candidates
  },
}

/** Objects of a bucket that are looked through for those that fit. */
const mostListed = 100_000

async function fromFile(
  list: Place,
  file: string,
  parse: (text: string) => readonly Candidate[] | undefined,
  read: Surroundings['read'],
): Promise<readonly Candidate[]> {
  const bytes = await fileIn(await read(list, false), file)
  if (!bytes) throw nothing(`it is an archive without a readable ${file}`)
  const candidates = parse(text(bytes))
  if (!candidates) throw nothing('it is not in the form expected of it')
  return candidates
}

const pathOf = ({ target }: Place) => target.slice(1).replace(/\?.*$/s, '')

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const nothing = (message: string) => new LarderError('NOTHING_LISTED', message)
