import { describe, expect, it } from 'vitest'
import { createRewriter } from '../../../src/buildpacks/rewriting/rewriter.js'
import { base, configured, rule } from './fixtures.js'

const settings = {
  one: { remote: 'https://one.example', allow: ['a/**'] },
  two: { remote: 'https://two.example', aliases: ['two.alias'] },
}

const idOf = async (repositories: Readonly<Record<string, unknown>>, members = ['bin/**'], at = base) => {
  const configuredNow = await configured(repositories)
  return createRewriter({ repositories: () => configuredNow }).plan(rule(...members), at).id
}

describe('the id of a plan', () => {
  it('is the same where all it depends on is', async () => {
    const id = await idOf(settings)
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    expect(await idOf(settings)).toBe(id)
    expect(await idOf({ two: settings.two, one: settings.one })).toBe(id)
    expect(await idOf({ ...settings, uploads: { type: 'hosted' } })).toBe(id)
    expect(await idOf({ ...settings, one: { ...settings.one, maxAge: '1h' } })).toBe(id)
  })

  it.each([
    ['the remote', { ...settings, one: { ...settings.one, remote: 'https://other.example' } }],
    ['a mirror', { ...settings, one: { ...settings.one, remote: ['https://one.example', 'https://other.example'] } }],
    ['an alias', { ...settings, two: { ...settings.two, aliases: ['other.alias'] } }],
    ['what is routed', { ...settings, one: { ...settings.one, allow: ['b/**'] } }],
    ['what is blocked', { ...settings, one: { ...settings.one, block: ['a/b'] } }],
    ['the name', { one: settings.one, three: settings.two }],
    ['another repository', { ...settings, three: { remote: 'https://three.example' } }],
  ])('is another with %s', async (_, changed) => {
    expect(await idOf(changed)).not.toBe(await idOf(settings))
  })

  it('is another with other members, or another base', async () => {
    const id = await idOf(settings)
    expect(await idOf(settings, ['lib/**'])).not.toBe(id)
    expect(await idOf(settings, ['bin/**'], 'http://larder.example')).not.toBe(id)
  })

  it('is another for two repositories of one remote in another order, as the first counts', async () => {
    const [a, b] = [{ remote: 'https://one.example' }, { remote: 'https://one.example' }]
    expect(await idOf({ a, b })).not.toBe(await idOf({ b, a }))
  })

  it('is worked out once, until the configuration changes', async () => {
    let now = await configured(settings)
    const rewriter = createRewriter({ repositories: () => now })
    const asked = rule()
    const plan = rewriter.plan(asked, base)
    expect(rewriter.plan(asked, base)).toBe(plan)
    for (let i = 0; i < 100; i += 1) rewriter.plan(asked, `${base}:${i + 1}`)
    expect(rewriter.plan(asked, base)).not.toBe(plan)
    expect(rewriter.plan(asked, base).id).toBe(plan.id)
    now = await configured(settings)
    expect(rewriter.plan(asked, base)).not.toBe(plan)
    expect(rewriter.plan(asked, base).id).toBe(plan.id)
  })
})
