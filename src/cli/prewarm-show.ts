import { Writable } from 'node:stream'
import type { MultiBar, SingleBar } from 'cli-progress'
import type { WarmFill, WarmItem, WarmState } from '../administration/warm-views.js'
import { printable, size, type Terminal } from './terminal.js'

/** How the progress of a warm-up is told. */
export interface Show {
  item(item: WarmItem, state: { readonly done: number; readonly all: number }): void
  progress(state: WarmState): void
  /** Something worth a word that is no failure of an item. */
  note(text: string): void
  end(): void
}

export const listedLine = ({ item, reason, detail }: WarmItem): string =>
  reason === null ? `${printable(item)}\n` : `${failure({ item, reason, detail })}\n`

export const failure = ({ item, reason, detail }: Pick<WarmItem, 'item' | 'reason' | 'detail'>): string =>
  `${printable(item)}: ${printable(detail ?? '')} (${reason})`

/** A line for each item, for logs. */
export function showLines({ out, err }: Terminal): Show {
  return {
    item(item, { done, all }) {
      const counter = `[${String(done).padStart(String(all).length)}/${all}]`
      const line =
        item.how === null
          ? `FAILED  ${failure(item)}`
          : `${item.how.padEnd(9)}  ${size(item.bytes ?? 0).padStart(10)}  ${printable(item.item)}`
      out(`${counter}  ${line}\n`)
    },
    progress() {},
    note: (text) => err(`larder: ${text}\n`),
    end() {},
  }
}

/** An object a line, for programs. */
export function showJson({ out, err }: Terminal): Show {
  return {
    item: (item) => out(`${JSON.stringify({ event: 'item', ...item })}\n`),
    progress() {},
    note: (text) => err(`larder: ${text}\n`),
    end() {},
  }
}

/** Bars for who watches: one for each download, one for all. Failures are told above them. */
export async function showBars(terminal: Terminal): Promise<Show> {
  const { default: progress } = await import('cli-progress')
  const stream = new Writable({
    write(chunk, _, done) {
      terminal.err(String(chunk))
      done()
    },
  })
  const bars = new progress.MultiBar(
    {
      format: fileFormat,
      stream: Object.assign(stream, tty()),
      hideCursor: true,
      clearOnComplete: true,
      barsize: 24,
      fps: 5,
    },
    progress.Presets.shades_classic,
  )
  return barsOf(bars)
}

/** A window of some width; a narrower one wraps lines. */
const tty = () => ({ isTTY: true, columns: process.stderr.columns ?? 120 })

const totalFormat = 'all {bar} {value}/{total}  {failed}{amount}  {rate}/s  {eta_formatted} left'
const fileFormat = '    {bar} {amount}  {rate}/s  {left}  {name}'

function barsOf(bars: MultiBar): Show {
  const total = bars.create(0, 0, { amount: size(0), rate: size(0), failed: '' }, { format: totalFormat })
  const files = new Map<string, { readonly bar: SingleBar; readonly speed: (bytes: number) => number }>()
  const speed = speedometer()

  const open = (name: string) => {
    const file = { bar: bars.create(1, 0, { name, amount: '', rate: '', left: '' }), speed: speedometer() }
    files.set(name, file)
    return file
  }

  const draw = ({ item, received, size: whole }: WarmFill) => {
    const { bar, speed } = files.get(item) ?? open(item)
    const rate = speed(received)
    const seconds = whole === null || rate === 0 ? undefined : Math.ceil((whole - received) / rate)
    const amount = whole === null ? size(received) : `${size(received)} of ${size(whole)}`
    bar.setTotal(Math.max(1, whole ?? received))
    bar.update(received, {
      name: printable(item),
      amount,
      rate: size(rate),
      left: seconds === undefined ? '' : `${seconds}s`,
    })
  }

  return {
    item(item) {
      if (item.reason !== null) bars.log(`FAILED  ${failure(item)}\n`)
    },
    progress({ task: { progress }, filling }) {
      const { items = 0, ready = 0, failed = 0, bytes = 0 } = progress
      const here = bytes + filling.reduce((sum, { received }) => sum + received, 0)
      total.setTotal(items)
      total.update(ready + failed, {
        ...{ amount: size(here), rate: size(speed(here)), failed: failed === 0 ? '' : `${failed} failed  ` },
      })
      const now = new Set(filling.map(({ item }) => item))
      for (const [name, { bar }] of files) {
        if (now.has(name)) continue
        bars.remove(bar)
        files.delete(name)
      }
      for (const fill of filling) draw(fill)
    },
    note: (text) => bars.log(`${text}\n`),
    end: () => bars.stop(),
  }
}

/** Bytes a second over the last few looks, from how many there are by then. */
function speedometer(): (bytes: number) => number {
  const looks: { readonly at: number; readonly bytes: number }[] = []
  return (bytes) => {
    looks.push({ at: performance.now(), bytes })
    if (looks.length > 10) looks.shift()
    const [first] = looks
    const last = looks.at(-1)
    if (!first || !last || last.at === first.at) return 0
    return Math.max(0, Math.round(((last.bytes - first.bytes) / (last.at - first.at)) * 1000))
  }
}
