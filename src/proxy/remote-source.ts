import type { Repository } from '../caching/repository.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { Upstream } from '../upstream/upstream.js'
import { attempting } from './attempt.js'
import type { Availability } from './availability.js'
import { healing } from './healing.js'
import { inquiring } from './rounds.js'
import type { RemoteSource, SourceRequest, SourceResponse } from './source.js'

export interface RemoteSourceOptions {
  readonly upstream: Upstream
  readonly repository: Repository
  readonly target: string
  readonly availability: Availability
  readonly metrics: Metrics
  readonly log: Logger
}

/** The repository's remotes as a source: transient trouble is retried (U2), cut bodies are resumed (U3). */
export function remoteSource(options: RemoteSourceOptions): RemoteSource {
  const { repository, metrics } = options
  const inquire = inquiring({ ...options, attempt: attempting(options) })
  const heal = healing({ repository, inquire, metrics })

  const adopt = (request: SourceRequest, response: SourceResponse): SourceResponse => {
    if (request.method !== 'GET' || response.status !== 200) return response
    const dropped = new AbortController()
    const discard = () => {
      dropped.abort()
      response.discard()
    }
    return { ...response, body: heal(request, response, dropped.signal), discard }
  }

  return { adopt, open: async (request) => adopt(request, await inquire(request, repository.remotes)) }
}
