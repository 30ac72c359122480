import { setTimeout as sleep } from 'node:timers/promises'
import type { Task } from '../administration/views.js'
import { parseSize } from '../config/quantities.js'
import type { ApiClient } from './api-client.js'
import { CommandFailed, json, NotUnderstood, printable, size, type Terminal, table } from './terminal.js'

/** Milliseconds between two looks at a task. */
const glance = 250

export interface VerifyOptions {
  /** `20MiB`, a second. */
  readonly rate?: string
  readonly json?: boolean
}

/** Throws `CommandFailed` where anything damaged was found, after listing it. */
export async function verify(api: ApiClient, terminal: Terminal, options: VerifyOptions): Promise<void> {
  const rate = options.rate === undefined ? undefined : parseSize(options.rate)
  if (options.rate !== undefined && !rate) {
    throw new NotUnderstood(`--rate: "${options.rate}" is not accepted, expected a size such as 20MiB (a second)`)
  }
  const task = await carryOut(api, terminal, { kind: 'verify', ...(rate && { rate }) }, verifyLine)
  const { damaged = 0, checked = 0, bytes = 0 } = task.progress
  if (options.json) terminal.out(json(task))
  else {
    const rows = task.findings.map(({ repository, path, reason }) => [reason, printable(`${repository}/${path}`)])
    if (rows.length > 0) terminal.out(table(['damage', 'artifact'], rows))
    if (damaged > rows.length) terminal.out(`and ${damaged - rows.length} more, named in the server's log\n`)
    terminal.out(`${checked} checked, ${size(bytes)}; ${damaged} damaged\n`)
  }
  if (damaged > 0) throw new CommandFailed(`${damaged} damaged; they were dropped, and are fetched anew when asked for`)
}

const verifyLine = ({ checked = 0, records = 0, bytes = 0, damaged = 0 }: Task['progress']) =>
  `${checked} of ${Math.max(checked, records)} checked, ${size(bytes)} read, ${damaged} damaged`

export async function gc(api: ApiClient, terminal: Terminal, asJson: boolean): Promise<void> {
  const task = await carryOut(api, terminal, { kind: 'gc' }, () => 'looking for what nothing refers to')
  const { blobs = 0, unused = 0 } = task.progress
  terminal.out(
    asJson ? json(task) : `removed: ${blobs} files that nothing refers to, ${unused} artifacts long unused\n`,
  )
}

/** Starts a task, shows its progress to whoever watches, and returns it when it is done. Ctrl-C cancels it. */
async function carryOut(
  api: ApiClient,
  terminal: Terminal,
  order: Readonly<Record<string, unknown>>,
  line: (progress: Task['progress']) => string,
): Promise<Task> {
  let task = await api.post<Task>('/tasks', order)
  const { id } = task
  let cancelling: Promise<unknown> | undefined
  const stopListening = terminal.onInterrupt(() => {
    cancelling ??= api.delete(`/tasks/${id}`).catch(() => undefined)
  })
  try {
    while (task.state === 'running') {
      if (terminal.interactive) terminal.err(`\r\u001b[K${line(task.progress)}`)
      await sleep(glance)
      task = await api.get<Task>(`/tasks/${id}`)
    }
  } finally {
    stopListening()
    if (terminal.interactive) terminal.err('\r\u001b[K')
  }
  await cancelling
  if (task.state !== 'done')
    throw new CommandFailed(`${task.kind} ${task.state}${task.error === null ? '' : `: ${task.error}`}`)
  return task
}
