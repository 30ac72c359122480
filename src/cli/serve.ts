import { startLarder } from '../compose.js'
import { ConfigError } from '../config/config-error.js'
import { readEnvironment } from '../config/environment.js'
import { isLarderError } from '../errors.js'
import { createLog, type Logger, standardOutputFlushed } from '../log.js'

/** Serves until SIGTERM or SIGINT; SIGHUP reloads. Exits with 1 where it can't start. */
export async function serve(version: string): Promise<void> {
  let log = createLog('info')
  try {
    const settings = readEnvironment(process.env)
    log = createLog(settings.logLevel)
    const larder = await startLarder(settings, process.env, version, log)
    process.on('SIGHUP', () => void larder.reload())
    const stop = once((signal: string) => end(larder.stop(), signal, log))
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    for (const url of larder.urls) log.info({ url, version, data: settings.dataDirectory }, 'listening')
  } catch (error) {
    refuse(error, log)
  }
}

async function end(stopped: Promise<void>, signal: string, log: Logger): Promise<void> {
  log.info({ signal }, 'stopping')
  await stopped
  log.info('stopped')
  await standardOutputFlushed()
  process.exit(0)
}

/** The first signal ends in order, the second at once. */
function once(first: (signal: string) => void): (signal: string) => void {
  let stopping = false
  return (signal) => {
    if (stopping) process.exit(1)
    stopping = true
    first(signal)
  }
}

/** The address is taken, is not this host's, or needs privileges. */
const isListenFault = (error: unknown): error is Error =>
  error instanceof Error && 'syscall' in error && error.syscall === 'listen'

/** What the operator can mend is said in plain words; anything else with its stack. */
function refuse(error: unknown, log: Logger): void {
  if (error instanceof ConfigError || isLarderError(error) || isListenFault(error)) {
    process.stderr.write(`larder: cannot start\n${error.message}\n`)
    process.exit(1)
  }
  log.fatal({ err: error }, 'cannot start')
  process.exit(1)
}
