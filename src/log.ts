import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino'

export type Logger = PinoLogger

/** The process's log: JSON lines. Secrets never get here; credentials in a URL or a header are not logged anywhere. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime }
  return destination ? pino(options, destination) : pino(options)
}
