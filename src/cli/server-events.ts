export interface ServerEvent {
  readonly event: string
  /** Empty where it has none. */
  readonly id: string
  readonly data: string
}

/** The events of a `text/event-stream`, as far as they are whole. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    const blocks = (text + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/)
    text = blocks.pop() ?? ''
    for (const block of blocks) yield eventOf(block)
  }
}

function eventOf(block: string): ServerEvent {
  const lines = block.split(/\r?\n/).map((line) => /^(\w+): ?(.*)$/.exec(line) ?? [])
  const valuesOf = (field: string) => lines.filter(([, name]) => name === field).map(([, , value = '']) => value)
  return { event: valuesOf('event').at(-1) ?? '', id: valuesOf('id').at(-1) ?? '', data: valuesOf('data').join('\n') }
}
