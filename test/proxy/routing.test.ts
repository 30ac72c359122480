import { expect, it } from 'vitest'
import { inFront } from '../support/in-process.js'
import { mswRemote } from './remote.js'

const remote = mswRemote()

it.each(['GET', 'HEAD'])(
  'C9: what the routing rules exclude is an empty 404, and nothing reaches the remote (%s)',
  async (method) => {
    remote.answer('*', {})
    const larder = await inFront(remote.url, { allow: ['jdk/**'], block: ['**/*.exe'] })
    const codes = []
    for (const path of ['/jdk/17.tgz', '/jdk/17.tgz?x=1', '/jre/17.tgz', '/jdk/setup.exe', '/jdk/setup%2Eexe']) {
      const { status, body, header } = await larder.get(path, {}, { method })
      if (status === 404) expect([body.length, header('cache-status')]).toEqual([0, 'larder'])
      codes.push(header('x-larder-error') ?? status)
    }
    expect(codes).toEqual([200, 200, ...Array(3).fill('PATH_NOT_ROUTED')])
    expect(remote.requests.map(({ target }) => target)).toEqual(['/jdk/17.tgz', '/jdk/17.tgz?x=1'])
  },
)

it('C9: nor are stored copies served that the rules exclude by now', async () => {
  remote.answer('*', {})
  const larder = await inFront(remote.url)
  await larder.warm('/a')
  await larder.reconfigure(remote.url, { block: ['a'] })
  expect((await larder.get('/a')).header('x-larder-error')).toBe('PATH_NOT_ROUTED')
})
