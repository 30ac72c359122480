import type { Link, Open } from './link.js'

export interface KeepOptions<L extends Link> {
  readonly open: Open<L>
  /** All of a link is connected. */
  readonly onUp: () => void
  /** Some of it is lost, or none could be opened; told again for each attempt. */
  readonly onDown: (error: unknown) => void
}

export interface Kept<L extends Link> {
  /** The last that could be opened. */
  readonly current: L | undefined
  close(): void
}

/** Opens a link behind, and another whenever something of it is lost. */
export function keep<L extends Link>({ open, onUp, onDown }: KeepOptions<L>): Kept<L> {
  let current: L | undefined
  let closed = false
  let opening = false
  let failures = 0
  let waiting: NodeJS.Timeout | undefined

  const again = (error: unknown) => {
    if (closed || opening || waiting) return
    onDown(error)
    const delay = Math.min(100 * 2 ** failures, 2000) * (0.75 + Math.random() / 2)
    failures += 1
    waiting = setTimeout(() => {
      waiting = undefined
      void attempt()
    }, delay).unref()
  }

  const take = (link: L) => {
    if (closed) return link.end()
    current?.end()
    current = link
    if (!link.isWhole) return again(new Error('not all of redis can be reached'))
    failures = 0
    onUp()
  }

  const attempt = async () => {
    opening = true
    let link: L | undefined
    const result = await open((error) => link && link === current && again(error)).then(
      (opened) => {
        link = opened
        return () => take(opened)
      },
      (error: unknown) => () => again(error),
    )
    opening = false
    result()
  }

  void attempt()
  return {
    get current() {
      return current
    },
    close() {
      closed = true
      clearTimeout(waiting)
      current?.end()
    },
  }
}
