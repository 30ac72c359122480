#!/usr/bin/env -S node --
// Without the dashes Node would take `--env-file` of `larder doctor` for its own option, wherever it stands, and do what a
// NODE_OPTIONS in that file says: run code of the project that is judged.
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { runCommand } from './cli/program.js'
import type { Terminal } from './cli/terminal.js'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

process.exitCode = await runCommand(process.argv.slice(2), version, processTerminal())

function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process
  const leave = () => process.exit(0)
  return {
    out(text) {
      // Who reads may have enough (`larder ls | head`). Only now: a server says nothing here and outlives its reader.
      if (stdout.listenerCount('error', leave) === 0) stdout.on('error', leave)
      stdout.write(text)
    },
    err: (text) => void stderr.write(text),
    env,
    input: () => text(stdin),
    bytesIn: stdin.isTTY ? undefined : stdin,
    bytesOut: stdout.isTTY ? undefined : (bytes) => pipeline(bytes, stdout, { end: false }),
    interactive: stderr.isTTY === true,
    onInterrupt(listener) {
      process.on('SIGINT', listener)
      return () => process.off('SIGINT', listener)
    },
  }
}
