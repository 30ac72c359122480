import type { Remote, RemoteAccess } from '../caching/repository.js'
import type { RemoteEntry } from './remote-settings.js'
import type { OwnSettings, SharedSettings } from './repository-settings.js'

/** Each remote with how it is reached: what its entry says, else the repository, else `defaults`. */
export function remotesOf(own: OwnSettings, shared: SharedSettings): readonly Remote[] {
  return (own.remote ?? []).map((entry) => ({ url: entry.url, access: accessOf(entry, own, shared) }))
}

function accessOf(entry: RemoteEntry, own: OwnSettings, shared: SharedSettings): RemoteAccess {
  const auth = entry.auth ?? own.auth ?? 'none'
  const { ca, cert, key } = { ...shared.tls, ...own.tls, ...entry.tls }
  return concealed({
    auth: auth === 'none' ? undefined : concealed({ ...auth }),
    headers: concealed([...(entry.headers ?? own.headers ?? [])]),
    ca,
    clientCertificate: cert === undefined || key === undefined ? undefined : concealed({ cert, key }),
    proxy: entry.proxy ?? own.proxy ?? shared.proxy,
    maxConnections: entry.maxConnections ?? own.maxConnections ?? shared.maxConnections ?? Number.POSITIVE_INFINITY,
  })
}

const placeholder = '[concealed]'

/** So that whoever logs a repository by accident shows no secret: not as JSON, not by `util.inspect`. */
function concealed<T extends object>(value: T): T {
  const show = { value: () => placeholder }
  return Object.defineProperties(value, { toJSON: show, [Symbol.for('nodejs.util.inspect.custom')]: show })
}
