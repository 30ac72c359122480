import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type FileWatch, watchFile } from '../../src/config/watch.js'

let directory: string
let file: string
let watching: FileWatch
const onChange = vi.fn()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'larder-watch-'))
  file = join(directory, 'repositories.yaml')
  onChange.mockReset()
})
afterEach(async () => {
  watching.close()
  await rm(directory, { recursive: true })
})

function watch() {
  watching = watchFile(file, onChange, (error) => {
    throw error
  })
}

const changes = (times: number) => vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(times), { timeout: 5000 })

it('O4: a file written in place, again and again', async () => {
  await writeFile(file, 'a')
  watch()
  await writeFile(file, 'b')
  await changes(1)
  await writeFile(file, 'c')
  await changes(2)
})

it('O4: a file renamed over it, as editors do, again and again', async () => {
  await writeFile(file, 'a')
  watch()
  for (const [round, content] of ['b', 'c', 'd'].entries()) {
    await writeFile(`${file}.new`, content)
    await rename(`${file}.new`, file)
    await changes(round + 1)
  }
})

it('O4: a file moved away and written anew, as editors do with backups', async () => {
  await writeFile(file, 'a')
  watch()
  await rename(file, `${file}~`)
  await writeFile(file, 'b')
  await changes(1)
})

it('O4: links swapped beside it, as Kubernetes does with a ConfigMap, again and again', async () => {
  const version = async (name: string, content: string) => {
    await mkdir(join(directory, name))
    await writeFile(join(directory, name, 'repositories.yaml'), content)
    await symlink(name, join(directory, '..data_tmp'))
    await rename(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  await version('..1', 'a')
  await symlink(join('..data', 'repositories.yaml'), file)
  watch()
  await version('..2', 'b')
  await changes(1)
  await version('..3', 'c')
  await rm(join(directory, '..2'), { recursive: true })
  await changes(2)
})

it('O4: a file that goes, and one that comes', async () => {
  await writeFile(file, 'a')
  watch()
  await unlink(file)
  await changes(1)
  await writeFile(file, 'a')
  await changes(2)
})

it('what does not change the content is no change, nor are the neighbours', async () => {
  await writeFile(file, 'a')
  watch()
  await writeFile(file, 'a')
  await writeFile(join(directory, 'neighbour'), 'x')
  await pause(400)
  expect(onChange).not.toHaveBeenCalled()
  await writeFile(file, 'b')
  await changes(1)
})

it('nothing is reported once closed, not even what was noticed before', async () => {
  await writeFile(file, 'a')
  watch()
  await writeFile(file, 'b')
  await pause(50)
  watching.close()
  await pause(300)
  expect(onChange).not.toHaveBeenCalled()
})
