import type { IncomingMessage } from 'node:http'
import { parseCacheControl } from '../caching/cache-control.js'
import type { Logger } from '../log.js'
import type { PublicUrl } from './public-url.js'

/** What a client is to get of an artifact that may be rewritten. */
interface WantedForm {
  /** Without what asks for a form. */
  readonly target: string
  /** What rewritten URLs begin with; `undefined` for the original. */
  readonly publicUrl: string | undefined
}

/** Hosts that are told of in the log. */
const mostTold = 100

/** The original is asked for by `?original`, or by `Cache-Control: no-transform` (RFC 9111 §5.2.1.6). */
export function createWantedForm(publicUrl: PublicUrl, log: Logger) {
  const told = new Set<string>()
  const tell = (host: string) => {
    if (told.has(host) || told.size >= mostTold) return
    told.add(host)
    log.warn(
      { host },
      'served an original that was to be rewritten: the host asked for is not in publicHosts, nor is there a publicUrl',
    )
  }
  return (request: IncomingMessage, written: string): WantedForm => {
    const target = withoutParameter(written, 'original')
    const directives = request.headers['cache-control']
    const asIs = directives !== undefined && parseCacheControl([directives]).noTransform === true
    if (asIs || target !== written) return { target, publicUrl: undefined }
    const base = publicUrl(request)
    if (base === undefined) tell(request.headers.host ?? '')
    return { target, publicUrl: base }
  }
}

function withoutParameter(target: string, name: string): string {
  const [path = '', ...query] = target.split('?')
  const parameters = query.join('?').split('&')
  if (!parameters.includes(name)) return target
  const kept = parameters.filter((parameter) => parameter !== name)
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`
}
