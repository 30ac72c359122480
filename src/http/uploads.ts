import type { IncomingMessage } from 'node:http'
import { checkTarget, withoutQueryValues } from '../caching/cache-key.js'
import type { Repository } from '../caching/repository.js'
import { uploadTag } from '../caching/upload.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Change, Uploaded, Uploads } from '../proxy/upload.js'
import type { AdmitWriter } from './auth.js'
import type { Exchange } from './exchange.js'
import { problemOf } from './on-error.js'

export interface UploadRoutesDeps {
  readonly uploads: Uploads
  readonly admitWriter: AdmitWriter
  /** Lets a request take as long for its body as it needs. */
  readonly unhurried: (request: IncomingMessage) => void
  readonly via: string
  readonly log: Logger
}

/** PUT and DELETE of a path of a hosted repository. Never rejects; each change asked for leaves a line in the log (O5). */
export type UploadRoutes = (exchange: Exchange, repository: Repository, target: string) => Promise<void>

export const writtenBy: ReadonlySet<string | undefined> = new Set(['PUT', 'DELETE'])

export function createUploadRoutes({ uploads, admitWriter, unhurried, via, log }: UploadRoutesDeps): UploadRoutes {
  const put = async (exchange: Exchange, change: Change): Promise<Uploaded> => {
    const { request, response } = exchange
    const done = await uploads.put({
      ...change,
      headers: request.rawHeaders,
      // What breaks off in the middle leaves a connection to be told so on.
      body: request.iterator({ destroyOnReturn: false }),
      begin() {
        unhurried(request)
        if (awaitsWord(request)) response.writeContinue()
      },
    })
    const isNew = done.verdict === 'created'
    const own = ['ETag', uploadTag(done.digest), 'X-Checksum-Sha256', done.digest.slice('sha256:'.length)]
    if (isNew) own.push('Location', `/repository/${change.repository.name}${change.target}`, 'Content-Length', '0')
    exchange.begin(isNew ? 201 : 204, ['Via', via], { outcome: 'upload' }, undefined, own)
    exchange.end()
    return done
  }

  const remove = async (exchange: Exchange, change: Change): Promise<undefined> => {
    await uploads.remove(change)
    exchange.begin(204, ['Via', via], { outcome: 'upload' })
    exchange.end()
  }

  /** A client that was promised nothing sends nothing: what comes next on its connection may be either. */
  const refuse = (exchange: Exchange, fault: LarderError) => {
    const { request, response } = exchange
    if (awaitsWord(request) && !request.readableDidRead) response.shouldKeepAlive = false
    if (fault.code === 'INTERNAL')
      log.error({ err: fault.cause, requestId: exchange.requestId }, 'a change failed unforeseen')
    exchange.fail(fault, { outcome: problemOf(fault).status < 500 ? 'upload' : 'error' })
  }

  const carryOut = async (exchange: Exchange, token: string, repository: Repository, target: string) => {
    const { request } = exchange
    const about = { client: request.socket.remoteAddress, token, action: `${request.method} /repository` }
    let told: object = {}
    try {
      checkTarget(target)
      const change = { repository, target, conditions: request.headers }
      const done = await (request.method === 'PUT' ? put(exchange, change) : remove(exchange, change))
      if (done) told = { sha256: done.digest.slice('sha256:'.length), result: done.verdict }
    } catch (error) {
      const fault = faultOf(error)
      // There is nobody to be told.
      if (exchange.left) exchange.abandoned()
      else refuse(exchange, fault)
      told = exchange.left ? { result: 'broken-off' } : { code: fault.code }
    }
    const status = exchange.response.headersSent ? exchange.response.statusCode : null
    const path = withoutQueryValues(target).slice(1)
    log.info({ audit: true, ...about, repository: repository.name, path, ...told, status }, 'change by an operator')
  }

  return async (exchange, repository, target) => {
    let token: string
    try {
      token = admitWriter(exchange.request)
    } catch (error) {
      return refuse(exchange, faultOf(error))
    }
    await carryOut(exchange, token, repository, target)
  }
}

/** RFC 9110 §10.1.1: it sends its body once it is told to go on. */
const awaitsWord = ({ headers, httpVersion }: IncomingMessage) => headers.expect !== undefined && httpVersion !== '1.0'

const faultOf = (error: unknown): LarderError =>
  isLarderError(error) ? error : new LarderError('INTERNAL', 'an unforeseen fault', { cause: error })
