import { isRouted } from '../caching/routing.js'
import type { ArtifactRequest } from './ask.js'
import { notRouted, type Resolution, type Resolve } from './resolution.js'

/**
 * Answers for a group: the first member that has the artifact. One in trouble might have it, so nothing is fetched from those
 * behind it, which might have other bytes under that path; what they have stored is served (K3).
 */
export function createGroups(resolve: Resolve): (request: ArtifactRequest) => Promise<Resolution> {
  const ofGroup = async (request: ArtifactRequest): Promise<Resolution> => {
    const { members, routing } = request.repository
    if (!isRouted(routing, request.target)) return notRouted
    const others: Resolution[] = []
    for (const repository of members) {
      const isGroup = repository.type === 'group'
      const storedOnly = request.storedOnly === true || others.some(isTrouble)
      const resolution = await (isGroup ? ofGroup : resolve)({ ...request, repository, storedOnly })
      if (resolution.kind === 'artifact') {
        if (isGroup) return resolution
        return { ...resolution, cache: { ...resolution.cache, detail: repository.name } }
      }
      others.push(resolution)
    }
    return others.find(isTrouble) ?? others.find(({ kind }) => kind === 'refused') ?? absence(others)
  }
  return ofGroup
}

/** Trouble keeps a member from saying whether it has the artifact; a path that isn't routed to it, it does not have. */
const isTrouble = (resolution: Resolution): boolean =>
  resolution.kind === 'trouble' && resolution.error.code !== 'PATH_NOT_ROUTED'

/** S3 refuses what is not there where it may not be listed: who says so plainly is believed first. */
const absence = (others: readonly Resolution[]): Resolution => {
  const absent = others.filter(({ kind }) => kind === 'absent')
  return absent.find((resolution) => 'status' in resolution && resolution.status === 404) ?? absent[0] ?? notRouted
}
