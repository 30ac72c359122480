import { Cron } from 'croner'

/** Whether croner understands it: five fields, or six with seconds, or a nickname such as @daily. */
export const isCron = (pattern: string): boolean => canSchedule(pattern, undefined)

/** Whether it is a time zone such as Europe/Berlin. */
export const isTimezone = (name: string): boolean => canSchedule('0 0 1 1 *', name)

function canSchedule(pattern: string, timezone: string | undefined): boolean {
  try {
    const cron = new Cron(pattern, { paused: true, ...(timezone !== undefined && { timezone }) })
    const isEver = cron.nextRun() !== null
    cron.stop()
    return isEver
  } catch {
    return false
  }
}

/** Calls back at each time the pattern means; returns how to end that. The process's own time zone unless told. */
export function onTime(pattern: string, timezone: string | undefined, due: () => void): () => void {
  const cron = new Cron(pattern, { unref: true, ...(timezone !== undefined && { timezone }) }, due)
  return () => cron.stop()
}
