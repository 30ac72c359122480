import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openAccessLog } from '../../src/http/access.js'
import { createLog } from '../../src/log.js'
import { temporaryDirectory, until } from '../support/stage.js'

it('O3: a log that could not be written is written again when it can be, and said to fail once', async () => {
  const directory = join(await temporaryDirectory(), 'not-there-yet')
  const told: string[] = []
  const file = join(directory, 'access.log')
  const access = openAccessLog(file, createLog('info', { write: (line) => void told.push(line) }))
  onTestFinished(() => access?.close())
  access?.write('lost\n')
  await until(() => told.length > 0, 'the failure is told')
  await mkdir(directory)
  const written = () => readFile(file, 'utf8').catch(() => '')
  await until(async () => {
    access?.write('kept\n')
    return (await written()).includes('kept\n')
  }, 'lines arrive')
  expect(told).toHaveLength(1)
})
