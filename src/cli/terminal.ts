/** Where a command writes and what it is told by its surroundings. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  readonly env: NodeJS.ProcessEnv
  /** All of standard input. */
  input(): Promise<string>
  /** Standard input as it comes; `undefined` where that is somebody's keyboard. */
  readonly bytesIn: AsyncIterable<Uint8Array> | undefined
  /** Writes to standard output, at the pace of who reads it; `undefined` where that is somebody's screen. */
  readonly bytesOut: ((bytes: AsyncIterable<Uint8Array>) => Promise<void>) | undefined
  /** Whether somebody is watching `err`. */
  readonly interactive: boolean
  /** Calls back on Ctrl-C; returns how to stop listening. */
  onInterrupt(listener: () => void): () => void
}

/** A command that could not do what it was asked; its message is for whoever typed it. */
export class CommandFailed extends Error {
  override readonly name: string = 'CommandFailed'
  readonly exitCode: number = 1
}

/** The server can't be reached, or was lost on the way. */
export class Unreachable extends CommandFailed {
  override readonly name = 'Unreachable'
}

/** The server said no; `code` is one of its closed set. */
export class Refused extends CommandFailed {
  override readonly name = 'Refused'

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/** What was typed makes no sense. */
export class NotUnderstood extends CommandFailed {
  override readonly name = 'NotUnderstood'
  override readonly exitCode = 2
}

export const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

const number = /^([\d.]+( B| [KMGT]iB| %)?|-)$/

/** Columns under their titles; those of numbers are set flush right. */
export function table(titles: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const columns = titles.map((title, i) => {
    const cells = rows.map((row) => String(row[i]))
    const width = Math.max(title.length, ...cells.map(({ length }) => length))
    const flushRight = cells.every((cell) => number.test(cell))
    return [title, ...cells].map((cell) => (flushRight ? cell.padStart(width) : cell.padEnd(width)))
  })
  return [titles, ...rows]
    .map(
      (_, line) =>
        `${columns
          .map((cells) => cells[line])
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** `name: value` lines with the values below each other. */
export function fields(entries: readonly (readonly [string, string | number])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${value}\n`).join('')
}

const units = ['KiB', 'MiB', 'GiB', 'TiB']

export function size(bytes: number): string {
  let value = bytes
  let unit = 'B'
  for (const next of units) {
    if (value < 1024) break
    value /= 1024
    unit = next
  }
  return unit === 'B' ? `${value} B` : `${value.toFixed(1)} ${unit}`
}

/** Of a moment in ISO form: date and time to the minute, UTC. */
export const minute = (iso: string | null): string => (iso === null ? '-' : iso.slice(0, 16).replace('T', ' '))

/** The two largest parts: `90061` seconds are `1d 1h`. */
export function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [Math.floor(seconds) % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0s'
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0)
  return shown.map(([count, unit]) => `${count}${unit}`).join(' ')
}

/** Text of others (paths, reasons) must not drive the terminal. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it takes out
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
