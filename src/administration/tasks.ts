import { randomUUID } from 'node:crypto'
import { isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Finding, Task } from './views.js'

/** What a task is given to work with. */
export interface TaskContext {
  /** Aborts when somebody cancels the task or the server stops. */
  readonly signal: AbortSignal
  /** Replaces the counters shown. */
  progress(counters: Readonly<Record<string, number>>): void
  found(finding: Finding): void
}

export type TaskWork = (context: TaskContext) => Promise<void>

/** Work that outlives the request which asks for it. */
export interface Tasks {
  /** Throws `TASK_RUNNING` where `atOnce` (1) of its kind are under way, `SHUTTING_DOWN` after `stop`. */
  start(kind: string, work: TaskWork, atOnce?: number): Task
  /** Newest first. */
  list(): readonly Task[]
  get(id: string): Task | undefined
  /** Asks it to end; it does so at its next step. Of a finished one nothing changes. */
  cancel(id: string): Task | undefined
  /** Cancels all, starts none any more, and resolves when none runs. */
  stop(): Promise<void>
}

/** Finished tasks that are remembered, and findings of each. */
const kept = 50
const findingsKept = 1000

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface Entry {
  readonly task: Mutable<Task> & { readonly findings: Finding[] }
  readonly controller: AbortController
  readonly done: Promise<void>
}

export function createTasks(log: Logger): Tasks {
  const entries = new Map<string, Entry>()
  let stopping = false

  const run = async ({ task, controller }: Omit<Entry, 'done'>, work: TaskWork): Promise<void> => {
    try {
      await work({
        signal: controller.signal,
        progress: (counters) => {
          task.progress = { ...counters }
        },
        found: (finding) => {
          if (task.findings.length < findingsKept) task.findings.push(finding)
        },
      })
      task.state = 'done'
    } catch (error) {
      task.state = controller.signal.aborted ? 'cancelled' : 'failed'
      if (task.state === 'failed') {
        task.error = isLarderError(error) ? error.message : 'an unforeseen fault; the log says more'
        log.error({ err: error, task: task.id, kind: task.kind }, 'a task failed')
      }
    } finally {
      task.endedAt = new Date().toISOString()
      log.info({ task: task.id, kind: task.kind, state: task.state, ...task.progress }, 'task ended')
    }
  }

  const forgetOldest = () => {
    const finished = [...entries.values()].filter(({ task }) => task.state !== 'running')
    for (const { task } of finished.slice(0, -kept)) entries.delete(task.id)
  }

  return {
    start(kind, work, atOnce = 1) {
      if (stopping) throw new LarderError('SHUTTING_DOWN', 'the server is stopping')
      const others = [...entries.values()].filter(({ task }) => task.kind === kind && task.state === 'running')
      if (others.length >= atOnce) {
        throw new LarderError('TASK_RUNNING', `a ${kind} task is under way: ${others[0]?.task.id}`)
      }
      forgetOldest()
      const task: Entry['task'] = {
        ...{ id: randomUUID(), kind, state: 'running', startedAt: new Date().toISOString() },
        ...{ endedAt: null, progress: {}, findings: [], error: null },
      }
      const controller = new AbortController()
      entries.set(task.id, { task, controller, done: run({ task, controller }, work) })
      return shown(task)
    },
    list: () => [...entries.values()].map(({ task }) => shown(task)).reverse(),
    get(id) {
      const entry = entries.get(id)
      return entry && shown(entry.task)
    },
    cancel(id) {
      const entry = entries.get(id)
      entry?.controller.abort()
      return entry && shown(entry.task)
    },
    async stop() {
      stopping = true
      for (const { controller } of entries.values()) controller.abort()
      await Promise.all([...entries.values()].map(({ done }) => done))
    },
  }
}

const shown = (task: Task): Task => ({ ...task, findings: [...task.findings] })
