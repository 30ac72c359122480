import { onTestFinished } from 'vitest'
import { type InProcess, inFront } from '../support/in-process.js'
import { type Origin, startOrigin } from '../support/origin.js'
import type { Settings } from '../support/stage.js'

/** A remote with a socket, for what only that shows, and a server in this process in front of it. */
export async function behindSocket(
  settings: Settings = {},
  env: Readonly<Record<string, string>> = {},
): Promise<{ origin: Origin; larder: InProcess }> {
  const origin = await startOrigin()
  onTestFinished(() => origin.stop())
  return { origin, larder: await inFront(origin.url, settings, env) }
}
