import { expect, it } from 'vitest'
import { createShortMemory } from '../../src/proxy/short-memory.js'

const absent = { kind: 'negative', status: 404 } as const

it('K4: nonsense of any length fills no memory: the oldest notes go', () => {
  const memory = createShortMemory()
  const key = (i: number) => `raw/${i}/`.padEnd(8 * 1024, 'x')
  for (let i = 0; i < 10_000; i += 1) memory.note(key(i), absent, 60)
  expect([memory.get(key(0)), memory.get(key(9_999))]).toEqual([undefined, absent])
})

it('K5: forgets what a purge means, and nothing else', () => {
  const memory = createShortMemory()
  for (const key of ['a/1', 'a/2', 'b/1']) memory.note(key, absent, 60)
  memory.forget((key) => key.startsWith('a/'))
  expect(['a/1', 'a/2', 'b/1'].map((key) => memory.get(key) !== undefined)).toEqual([false, false, true])
})
