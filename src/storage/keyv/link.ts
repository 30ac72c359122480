import type { RedisCommands } from './commands.js'

/** Something connected. Once any of it is lost, another is opened in its place; until then what is left of it serves. */
export interface Link {
  /** Whether any of it is connected. */
  readonly isUsable: boolean
  /** Whether all of it is. */
  readonly isWhole: boolean
  end(): void
}

/** Opens a link, or fails, within seconds; `lost` is to be called whenever some of it is lost. */
export type Open<L extends Link> = (lost: (error: unknown) => void) => Promise<L>

/** A link over which Redis is asked. */
export interface CommandLink extends Link {
  readonly commands: RedisCommands
  publish(channel: string, message: string): Promise<unknown>
}

/** A link over which a channel is heard. */
export interface ChannelLink extends Link {
  subscribe(channel: string, listener: (message: string) => void): Promise<void>
}
