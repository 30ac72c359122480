import picomatch from 'picomatch'
import { expect, it } from 'vitest'
import { isRouted } from '../../src/caching/routing.js'

const globs = (...patterns: string[]) => patterns.map((match) => ({ match, matches: picomatch(match, { dot: true }) }))

it.each<[name: string, allow: string[], block: string[], path: string, routed: boolean]>([
  ['no rules', [], [], 'a/b', true],
  ['allowed', ['jdk/**'], [], 'jdk/17.tgz', true],
  ['not allowed', ['jdk/**'], [], 'jre/17.tgz', false],
  ['one of several', ['jdk/**', '*.sh'], [], 'stdlib.sh', true],
  ['blocked', [], ['**/*.exe'], 'a/b.exe', false],
  ['blocked, whatever its query', [], ['a.exe'], 'a.exe?x', false],
  ['not blocked', [], ['**/*.exe'], 'a/b.jar', true],
  ['allowed and blocked', ['jdk/**'], ['jdk/8/**'], 'jdk/8/x', false],
  ['blocked, spelt in escapes', [], ['secret/**'], '%73ecret/x', false],
  ['blocked, its slash spelt as an escape', [], ['secret/**'], 'secret%2Fx', false],
  ['blocked, as the glob spells it', [], ['a%2Fb'], 'a%2Fb', false],
  ['blocked, with slashes more', [], ['secret/**'], '/secret//x', false],
  ['blocked beside bytes that are no UTF-8', [], ['secret/**'], '%73ecret/%FF', false],
  ['allowed, spelt in escapes', ['zulu/1+2'], [], 'zulu/1%2B2', true],
  ['letters beyond ASCII', ['ü/*'], [], '%C3%BC/x', true],
])('C9: %s', (_, allow, block, path, routed) => {
  expect(isRouted({ allow: globs(...allow), block: globs(...block) }, `/${path}`)).toBe(routed)
})
