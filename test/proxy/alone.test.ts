import { describe, expect, it } from 'vitest'
import { readAlone } from '../../src/proxy/alone.js'
import type { SourceRequest, SourceResponse } from '../../src/proxy/source.js'
import { configured } from './configured.js'

const answer = (status: number, headers: readonly string[], body = ''): SourceResponse => ({
  ...{ status, headers, requestTime: 0, responseTime: 0, framing: 'chunked', remote: 'https://remote.test' },
  body: (async function* () {
    if (body !== '') yield Buffer.from(body)
  })(),
  discard() {},
})

/** What one gets who has `theirs` bytes of `12345` and asks for more, and what it asked the remote for. */
async function stage(theirs: number, again: SourceResponse, first = answer(200, ['ETag', '"a"'])) {
  const asked: SourceRequest[] = []
  const body = readAlone({
    ...{ repository: await configured({ retry: { resumes: 0 } }), headers: [], first },
    proof: { digests: [], demanded: false, prove: async () => false },
    source: {
      async open(request) {
        asked.push(request)
        return again
      },
    },
  })
  const into = Buffer.alloc(10)
  const count = await body.read(into, theirs)
  return { text: into.toString('latin1', 0, count), asked: asked[0]?.headers }
}

describe('K7: who has all of a body but the sign of its end', () => {
  it('is at its end, where the remote has no more of that version', async () => {
    const { text, asked } = await stage(5, answer(416, ['Content-Range', 'bytes */5', 'ETag', '"a"']))
    expect([text, asked]).toEqual(['', ['Range', 'bytes=5-', 'If-Range', '"a"']])
  })

  it.each<[string, SourceResponse, SourceResponse?]>([
    ['the remote has another size', answer(416, ['Content-Range', 'bytes */4'])],
    ['the remote has another version', answer(416, ['Content-Range', 'bytes */5', 'ETag', '"b"'])],
    ['nothing names the version', answer(416, ['Content-Range', 'bytes */5']), answer(200, [])],
  ])('is told that there is none where %s', async (_, again, first) => {
    await expect(stage(5, again, first)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })
})
