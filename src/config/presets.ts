import { isPresetName, presets } from '../buildpacks/catalogue/presets.js'
import { isMap } from './issue.js'

/** The data as read with the repositories of its presets; what it says of one of them itself lies over the preset's word. */
export function withPresets(data: unknown): unknown {
  if (!isMap(data) || !Array.isArray(data.presets)) return data
  const shipped = Object.assign({}, ...data.presets.filter(isPresetName).map((name) => presets[name]))
  const own = data.repositories ?? {}
  if (!isMap(own)) return data
  const laidOver = Object.entries(own).map(([name, settings]) => [
    name,
    isMap(settings) && isMap(shipped[name]) ? { ...shipped[name], ...settings } : settings,
  ])
  return { ...data, repositories: { ...shipped, ...Object.fromEntries(laidOver) } }
}
