import { presetNames } from '../../src/buildpacks/catalogue/presets.js'
import type { Repository } from '../../src/caching/repository.js'
import { type Config, parseConfig } from '../../src/config/load.js'

/** A configuration of these presets, and what else is said of it as YAML. */
export const withPresets = (presets: readonly string[], more = ''): Config =>
  parseConfig(`presets: [${presets.join(', ')}]\n${more}`, 'repositories.yaml', {})

/** The repositories of all presets. */
export const everyRepository: readonly Repository[] = withPresets(presetNames).repositories
