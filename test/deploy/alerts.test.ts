import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { temporaryDirectory } from '../support/stage.js'
import { alertNames } from './expressions.js'
import { inCheckout, listOf, textOf, yamlOf } from './files.js'

const unitTests = 'test/deploy/alerts.promtool.yaml'

describe('the alerts', () => {
  it('are each shown to fire', () => {
    const checks = listOf(yamlOf(unitTests).tests).flatMap((test) => listOf(test.alert_rule_test))
    const fired = checks.filter(({ exp_alerts }) => exp_alerts !== undefined).map(({ alertname }) => String(alertname))
    expect(new Set(fired)).toEqual(new Set(alertNames()))
  })

  it('are each in docs/troubleshooting.md', () => {
    const documentation = textOf('docs/troubleshooting.md')
    expect(alertNames().filter((name) => !documentation.includes(`\`${name}\``))).toEqual([])
  })
})

describe.skipIf(missing('promtool').length > 0)(title('promtool', 'promtool'), () => {
  it.each(['prometheus.yml', 'replicas.yml'])('takes the rules and %s', async (file) => {
    // It looks for the files a configuration names beside it.
    const directory = await temporaryDirectory()
    await cp(inCheckout('deploy/prometheus'), directory, { recursive: true })
    const { code, stderr } = await run('promtool', ['check', 'config', join(directory, file)])
    expect([code, stderr]).toEqual([0, ''])
  })

  it('sees them fire when they should, and only then', async () => {
    const { code, stdout, stderr } = await run('promtool', ['test', 'rules', inCheckout(unitTests)])
    expect(code, stdout + stderr).toBe(0)
  })
})
