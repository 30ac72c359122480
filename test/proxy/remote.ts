import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll } from 'vitest'

export interface RemoteAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

export interface RemoteRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Headers
}

type Answering = RemoteAnswer | ((request: RemoteRequest) => RemoteAnswer | Promise<RemoteAnswer>)

/** A remote storage without a socket, for tests in which only messages count. It dates its answers unless told otherwise. */
export interface Remote {
  readonly url: string
  readonly requests: readonly RemoteRequest[]
  count(path: string, method?: string): number
  /** The n-th request for `path` gets the n-th answer, the last for all after; `'*'` is any path. */
  answer(path: string, ...answers: [Answering, ...Answering[]]): void
  /** From now on every connection fails. */
  die(): void
}

/** Call it once, at the top of a test file: it is emptied after each test. */
export function mswRemote(): Remote {
  const url = 'http://remote.test'
  const requests: RemoteRequest[] = []
  const plans = new Map<string, Answering[]>()
  let dead = false
  const server = setupServer(
    http.all(`${url}/*`, async ({ request }) => {
      const { method, headers } = request
      const asked = { method, target: request.url.slice(url.length), headers }
      requests.push(asked)
      if (dead) return HttpResponse.error()
      const plan = plans.get(asked.target.split('?', 1)[0] ?? '') ?? plans.get('*')
      const answering = plan && plan.length > 1 ? plan.shift() : plan?.[0]
      if (!answering) throw new Error(`nothing planned for ${asked.target}`)
      return response(method, typeof answering === 'function' ? await answering(asked) : answering)
    }),
  )
  beforeAll(() => server.listen({ onUnhandledRequest: refuseStrangers }))
  afterEach(() => {
    requests.length = 0
    plans.clear()
    dead = false
  })
  afterAll(() => server.close())
  return {
    url,
    requests,
    count: (path, method) =>
      requests.filter(({ target, method: by }) => target === path && (method === undefined || by === method)).length,
    answer: (path, ...answers) => void plans.set(path, [...answers]),
    die() {
      dead = true
    },
  }
}

/** The tests' own requests to the server pass; any other would leave the machine. */
function refuseStrangers(request: Request, print: { error(): void }): void {
  if (new URL(request.url).hostname !== '127.0.0.1') print.error()
}

function response(method: string, { status = 200, headers = {}, body = 'body' }: RemoteAnswer): Response {
  const fields = new Headers({ Date: new Date().toUTCString() })
  const bodiless = status === 204 || status === 304
  if (!bodiless) fields.set('Content-Length', String(Buffer.byteLength(body)))
  for (const [name, value] of Object.entries(headers)) {
    fields.delete(name)
    // An empty list leaves a field out that would be there otherwise.
    for (const line of [value].flat()) fields.append(name, line)
  }
  return new HttpResponse(bodiless || method === 'HEAD' ? null : body, { status, headers: fields })
}
