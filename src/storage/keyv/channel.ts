import { randomUUID } from 'node:crypto'
import type { Logger } from '../../log.js'
import { messageLimit, type SharedCache } from '../shared-cache.js'
import { type Kept, keep } from './keep.js'
import type { ChannelLink, Open } from './link.js'

const channelName = 'larder:v1:told'

export interface Channel extends Pick<SharedCache, 'tell' | 'onTold'> {
  close(): void
}

export interface ChannelOptions {
  readonly open: Open<ChannelLink>
  readonly publish: (channel: string, message: string) => Promise<void>
  readonly log: Logger
}

type Listener = Parameters<SharedCache['onTold']>[0]

/** What replicas tell each other. Who never listens has no connection for it. */
export function createChannel({ open, publish, log }: ChannelOptions): Channel {
  const sender = randomUUID()
  const listeners: Listener[] = []
  let kept: Kept<ChannelLink> | undefined
  let stands = false
  let isDown = false
  let closed = false

  const hand = (listener: Listener, event: Parameters<Listener>[0]) => {
    try {
      if (!closed) listener(event)
    } catch (error) {
      log.error({ err: error }, 'cannot take what another replica told')
    }
  }
  const toAll = (event: Parameters<Listener>[0]) => {
    for (const listener of listeners) hand(listener, event)
  }

  const heard = (message: string) => {
    const isMessage = message[sender.length] === ' ' && message.length <= sender.length + 1 + messageLimit
    // What comes while the subscription begins belongs to the gap that is told then.
    if (!stands || !isMessage || message.startsWith(sender)) return
    toAll({ kind: 'message', text: message.slice(sender.length + 1) })
  }

  const listen = () =>
    keep<ChannelLink>({
      async open(lost) {
        const link = await open(lost)
        await link.subscribe(channelName, heard).catch((error) => {
          link.end()
          throw error
        })
        return link
      },
      onUp() {
        if (isDown) log.info('redis brings the messages of the other replicas again')
        isDown = false
        stands = true
        toAll({ kind: 'gap' })
      },
      onDown(error) {
        if (!isDown) log.warn({ err: error }, 'redis does not bring the messages of the other replicas')
        isDown = true
        stands = false
      },
    })

  return {
    async tell(message) {
      const size = Buffer.byteLength(message)
      if (size > messageLimit) return log.error({ size }, 'too long a message to the other replicas')
      await publish(channelName, `${sender} ${message}`)
    },
    onTold(listener) {
      if (closed) return
      listeners.push(listener)
      // Whoever listens later than the others knows of nothing before, either.
      if (stands) queueMicrotask(() => hand(listener, { kind: 'gap' }))
      kept ??= listen()
    },
    close() {
      closed = true
      kept?.close()
    },
  }
}
