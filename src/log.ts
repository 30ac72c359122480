import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino'

export type Logger = PinoLogger

/** Bytes that may wait for whoever reads the log; beyond, lines are lost. */
const maxBacklog = 8 * 1024 * 1024

/** How long the last lines may take to get out when the process ends, ms. */
const lastWords = 1000

/** The process's log: JSON lines. Secrets never get here; credentials in a URL or a header are not logged anywhere. */
export function createLog(level: string, destination: DestinationStream = standardOutput()): Logger {
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, destination)
}

/** Resolves when what was logged to standard output is out, or its reader had its chance. */
export function standardOutputFlushed(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, lastWords).unref()
    process.stdout.write('', () => resolve())
  })
}

/** A full disk behind it and a reader that stalls or leaves cost lines, never requests; pino's own way would stop for them. */
function standardOutput(): DestinationStream {
  if (process.stdout.listenerCount('error', ignored) === 0) process.stdout.on('error', ignored)
  return {
    write(line) {
      if (process.stdout.writableLength < maxBacklog) process.stdout.write(line)
    },
  }
}

const ignored = () => {}
