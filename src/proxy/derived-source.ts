import { entityTag } from '../caching/entity-tag.js'
import { filterFields, type RawHeaders } from '../caching/headers.js'
import type { Digest } from '../caching/record.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { ArtifactRequest } from './ask.js'
import { inOrder, opened, release } from './bodies.js'
import { tagOf } from './derived.js'
import { whyNot } from './refusal.js'
import type { Artifact, Resolve } from './resolution.js'
import type { Original, RewriteOutcome, RewritePlan } from './rewriter.js'
import type { BodySource, SourceResponse } from './source.js'

export interface DerivedSourceOptions {
  /** Finds the original anew. */
  readonly resolve: Resolve
  readonly request: ArtifactRequest
  readonly plan: RewritePlan
  /** Ends whatever is under way. */
  readonly signal: AbortSignal
}

/** A rewritten body as a source like any other. */
export interface DerivedSource extends BodySource {
  /** What is made of an original that is here. */
  of(original: Artifact): DerivedResponse
}

interface DerivedResponse {
  readonly response: SourceResponse
  /** Of the original, if it is stored in the end; once the body has ended. */
  digest(): Promise<Digest | undefined>
  /** Once the body has ended. */
  outcome(): RewriteOutcome
}

export function derivedSource({ resolve, request, plan, signal }: DerivedSourceOptions): DerivedSource {
  const of = (artifact: Artifact): DerivedResponse => {
    const original = originalOf(artifact)
    const { chunks, outcome } = plan.rewrite(original)
    const now = Date.now()
    const tag = tagOf(artifact, plan)
    const response: SourceResponse = {
      ...{ status: artifact.status, headers: validatorOf(artifact, tag) },
      ...{ requestTime: now, responseTime: now, framing: 'chunked', remote: '' },
      body: closing(chunks, original.body, signal),
      discard: () => original.body.close(),
    }
    const { body, digest } = artifact
    return { response, outcome, digest: async () => (body.kind === 'growing' ? body.digest() : digest) }
  }
  return {
    of,
    async open({ signal: leaving }) {
      const resolution = await resolve(request)
      if (resolution.kind !== 'artifact') throw whyNot(resolution, request.repository)
      const { artifact } = resolution
      const { response } = of(artifact)
      const discard = () => {
        response.discard()
        release(artifact.body)
      }
      leaving?.addEventListener('abort', discard, { once: true })
      if (leaving?.aborted) discard()
      leaving?.throwIfAborted()
      return { ...response, discard }
    },
  }
}

/**
 * Tells whether it is made of the same original when it is made once more (K7); no client gets to see it. A digest may be known
 * by then that was not before.
 */
function validatorOf({ headers }: Artifact, tag: string | undefined): RawHeaders {
  const date = filterFields(headers, (name) => name === 'last-modified')
  const isByDate = tag === undefined || (entityTag(headers) === undefined && date.length > 0)
  return isByDate ? date : ['ETag', tag]
}

/** An artifact as the rewriter reads it; its body is to be closed. */
function originalOf({ headers, size, body }: Artifact): Original {
  if (body.kind === 'passing') return { headers, body: inOrder(body.chunks), whole: async () => undefined }
  return {
    ...{ headers, body: opened(body, undefined) },
    whole: async () => (body.kind === 'growing' ? body.whole() : size),
  }
}

async function* closing(chunks: AsyncIterable<Uint8Array>, body: OpenBody, signal: AbortSignal) {
  try {
    for await (const chunk of chunks) {
      signal.throwIfAborted()
      yield chunk
    }
  } finally {
    body.close()
  }
}
