import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { inFront } from '../support/in-process.js'
import { someOrigin } from '../support/served.js'
import { forwardProxy, listen } from '../upstream/servers.js'

/** A remote that redirects all to one place. */
const redirecting = (location: string) =>
  listen(createServer((_, response) => response.writeHead(302, { Location: location, 'Content-Length': 0 }).end()))

describe('U5: redirects to where no client could go, through the whole server', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
    'http://[fd00:ec2::254]/latest/meta-data/',
    'http://[fd20:ce::254]/computeMetadata/v1/',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/',
    'http://metadata.google.internal/',
    'http://0.0.0.0/',
  ])('%s: 502 for GET and HEAD, with an empty body', async (location) => {
    const larder = await inFront((await redirecting(location)).url)
    for (const { status, body, header } of [await larder.get('/a'), await larder.head('/a')]) {
      expect([status, body.length, header('x-larder-error')]).toEqual([502, 0, 'REDIRECT_REFUSED'])
      expect(header('location')).toBeUndefined()
    }
  })

  it.each([
    ['an address', (port: number) => `http://127.0.0.1:${port}/secret`],
    ['a spelling of it', (port: number) => `http://0x7f.1:${port}/secret`],
    ['a name', (port: number) => `http://localhost:${port}/secret`],
  ])(
    'from a public host to a service of this machine, by %s: refused unasked, followed where it is allowed',
    async (_, to) => {
      const inside = await someOrigin()
      inside.put('/secret', 'secret')
      const location = to(Number(new URL(inside.url).port))
      // What lies behind an egress proxy counts as public.
      const proxy = await forwardProxy(await redirecting(location))
      const env = { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.0/8,localhost' }
      const larder = await inFront('http://public.test', {}, env)
      expect((await larder.get('/a')).header('x-larder-error')).toBe('REDIRECT_REFUSED')
      expect(inside.requests).toHaveLength(0)
      await larder.reconfigure('http://public.test', { redirects: { allow: [new URL(location).hostname] } })
      expect((await larder.get('/b')).body.toString()).toBe('secret')
    },
  )

  it.each([
    'file:///etc/passwd',
    'ftp://127.0.0.1/',
    'gopher://127.0.0.1/',
    'unix:/run/docker.sock',
    'javascript:1',
    'data:,x',
  ])('%s: 502, for it is no http', async (location) => {
    const larder = await inFront((await redirecting(location)).url)
    const { status, header } = await larder.get('/a')
    expect([status, header('x-larder-error')]).toEqual([502, 'UPSTREAM_INVALID'])
  })

  it('endless ones end', async () => {
    const larder = await inFront((await redirecting('/again')).url)
    const { status, header } = await larder.get('/a')
    expect([status, header('x-larder-error')]).toEqual([502, 'REDIRECT_LIMIT'])
  })
})
