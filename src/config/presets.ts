import { isPresetName, presets } from '../buildpacks/catalogue/presets.js'
import { type Data, isMap } from './issue.js'
import { artifactOnly } from './repositories.js'
import { settingsFor } from './type-checks.js'

/**
 * The data as read with the repositories of its presets; what it says of one of them itself lies over the preset's word.
 * Of that only what the type and the profile it says have room for: nobody could take the rest out of a preset.
 */
export function withPresets(data: unknown): unknown {
  if (!isMap(data) || !Array.isArray(data.presets)) return data
  const { defaults } = data
  const shipped = Object.assign({}, ...data.presets.filter(isPresetName).map((name) => presets[name]))
  const own = data.repositories ?? {}
  if (!isMap(own)) return data
  const laidUnder = Object.entries(shipped).map(([name, preset]) => {
    const said = isMap(own[name]) ? own[name] : {}
    const profile = said.profile ?? (isMap(defaults) ? defaults.profile : undefined)
    return [name, { ...fitting(preset as Data, said.type, profile), ...said }]
  })
  const others = Object.entries(own).filter(([name, settings]) => !isMap(settings) || !isMap(shipped[name]))
  return { ...data, repositories: { ...Object.fromEntries(laidUnder), ...Object.fromEntries(others) } }
}

function fitting(preset: Data, type: unknown, profile: unknown): Data {
  const settings = Object.entries(settingsFor(type, preset))
  const forbidden: readonly string[] = profile === 'rfc9111' ? artifactOnly : []
  return Object.fromEntries(settings.filter(([name]) => !forbidden.includes(name)))
}
