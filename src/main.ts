#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { serve } from './cli/serve.js'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const usage = `larder ${version}: a caching proxy for the artifacts buildpacks download

usage: larder [serve]      serves the repositories of repositories.yaml
       larder --version
       larder --help

Settings come from the environment; docs/configuration.md lists them.
`

const [command = 'serve', ...rest] = process.argv.slice(2)
if (command === '--help' || command === 'help') process.stdout.write(usage)
else if (command === '--version') process.stdout.write(`${version}\n`)
else if (command === 'serve' && rest.length === 0) await serve(version)
else {
  process.stderr.write(`larder: unknown arguments: ${process.argv.slice(2).join(' ')}\n\n${usage}`)
  process.exitCode = 2
}
