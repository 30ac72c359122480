import { ConfigError } from '../config/config-error.js'
import { checkOrder, loadPrewarmFile, type PrewarmFile } from '../config/prewarm-file.js'
import { readTextFile } from '../config/text-file.js'
import { sourceKinds, type WarmOrder } from '../warming/order.js'
import { NotUnderstood, type Terminal } from './terminal.js'

export interface OrderOptions {
  readonly file?: string
  readonly list?: readonly string[]
  readonly inventory?: readonly string[]
  readonly shasums?: readonly string[]
  readonly maven?: readonly string[]
  readonly buildpack?: readonly string[]
  readonly s3?: readonly string[]
  readonly entry?: string
  readonly match?: string
  readonly version?: readonly string[]
  readonly arch?: string
  readonly stack?: string
  readonly latest?: number
  readonly concurrency?: number
  readonly rate?: string
}

/** Bytes of a list of artifacts. */
const mostListed = 4 * 1024 * 1024

/** What file, flags and arguments ask for together. Throws `NotUnderstood`. */
export async function orderOf(words: readonly string[], options: OrderOptions, terminal: Terminal): Promise<WarmOrder> {
  const asked = understood(() => checkOrder(fromFlags(words, options), 'the command line'))
  const { file: path } = options
  const file = path === undefined ? undefined : understood(() => loadPrewarmFile(path, terminal.env))
  const lists = [...(file?.lists ?? []), ...asked.lists, ...(words.includes('-') ? ['-'] : [])]
  const listed = await Promise.all([...new Set(lists)].map((list) => itemsIn(list, terminal)))
  const order = {
    items: [...(file?.items ?? []), ...listed.flat(), ...asked.items],
    from: [...(file?.from ?? []), ...asked.from],
    concurrency: options.concurrency === undefined ? (file ?? asked).concurrency : asked.concurrency,
    rate: asked.rate ?? file?.rate,
  }
  if (order.items.length + order.from.length > 0) return order
  throw new NotUnderstood(
    'what is to be made ready? expected <repository>/<path>, -f prewarm.yaml, --list or --inventory',
  )
}

/** In the notation of prewarm.yaml, so that both are judged by one schema. */
function fromFlags(words: readonly string[], options: OrderOptions): unknown {
  const { entry, match, version, arch, stack, latest, concurrency, rate, list = [] } = options
  const filters = defined({ match, version, arch, stack, latest })
  const sources = sourceKinds.flatMap((kind) =>
    (options[kind] ?? []).map((named) => {
      const isArchive = kind === 'inventory' || kind === 'buildpack'
      return { [kind]: named, ...filters, ...(isArchive && defined({ file: entry })) }
    }),
  )
  if (sources.length === 0 && (Object.keys(filters).length > 0 || entry !== undefined)) {
    throw new NotUnderstood(`filters need a list to choose from: ${sourceKinds.map((kind) => `--${kind}`).join(', ')}`)
  }
  return {
    items: words.filter((word) => word !== '-'),
    from: [...sources, ...list.map((path) => ({ list: path }))],
    ...defined({ concurrency, rate }),
  }
}

const defined = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** An item a line; empty ones and comments (`#`) are none. */
async function itemsIn(list: string, { input }: Terminal): Promise<readonly string[]> {
  const content = list === '-' ? { text: await input() } : readTextFile(list, mostListed)
  if ('fault' in content) throw new NotUnderstood(`${list}: ${content.fault}, expected a file with an artifact a line`)
  const items = content.text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const place = list === '-' ? 'standard input' : list
  return understood(() => checkOrder({ items }, place)).items
}

function understood(read: () => PrewarmFile): PrewarmFile {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConfigError) throw new NotUnderstood(`what is asked for has faults\n${error.message}`)
    throw error
  }
}
