import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { temporaryDirectory } from '../support/stage.js'
import { inCheckout } from './files.js'

const units = ['larder.service', 'larder-prewarm.service', 'larder-prewarm.timer']

/** The units, with programs that are on this machine: that they are there is part of what is verified. */
async function unitFiles(): Promise<string[]> {
  const directory = await temporaryDirectory()
  return Promise.all(
    units.map(async (unit) => {
      const text = await readFile(inCheckout(`deploy/systemd/${unit}`), 'utf8')
      const file = join(directory, unit)
      await writeFile(file, text.replaceAll('/usr/bin/node', process.execPath))
      return file
    }),
  )
}

describe.skipIf(missing('systemd-analyze').length > 0)(title('systemd', 'systemd-analyze'), () => {
  it('understands every line of the units', async () => {
    const { code, stderr } = await run('systemd-analyze', ['verify', '--man=no', ...(await unitFiles())])
    expect([code, stderr]).toEqual([0, ''])
  })

  it.each(['larder.service', 'larder-prewarm.service'])('sees no way to leave what %s is confined to', async (unit) => {
    const file = (await unitFiles()).find((file) => file.endsWith(`/${unit}`)) ?? ''
    // In tenths, of at most 100: what is left is the network, and memory that is written and executed.
    const { code, stdout } = await run('systemd-analyze', ['security', '--offline=true', '--threshold=15', file])
    expect(code, stdout.toString()).toBe(0)
  })
})
