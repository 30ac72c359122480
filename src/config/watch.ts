import { watch } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { readTextFile } from './text-file.js'

/** Editors and Kubernetes replace a file in several steps; what stands there after so many ms is what was meant. */
const settleTime = 100

/** No file that is watched needs more; a larger one is refused by whoever reads it. */
const mostBytes = 1024 * 1024

export interface FileWatch {
  close(): void
}

/**
 * Calls `onChange` whenever the content of `file` has become another, or the file has gone. Watches the directory, not
 * the file: editors rename a new file over the old one, Kubernetes swaps a symbolic link (`..data`) beside it.
 */
export function watchFile(file: string, onChange: () => void, onError: (error: unknown) => void): FileWatch {
  const path = resolve(file)
  const relevant = new Set([basename(path), '..data'])
  let seen = contentOf(path)
  let timer: NodeJS.Timeout | undefined

  const compare = () => {
    const content = contentOf(path)
    if (content === seen) return
    seen = content
    onChange()
  }
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name !== null && !relevant.has(name)) return
      clearTimeout(timer)
      timer = setTimeout(compare, settleTime)
    })
    watcher.on('error', onError)
    return {
      close() {
        clearTimeout(timer)
        watcher.close()
      },
    }
  } catch (error) {
    onError(error)
    return { close() {} }
  }
}

/** Of a file that cannot be read, why; loading it will say so. */
function contentOf(path: string): string {
  const content = readTextFile(path, mostBytes)
  return 'text' in content ? content.text : content.fault
}
