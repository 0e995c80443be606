/** What `experts.hold` of config.toml says of a part. */
export type HoldSetting = {
  /** Whether this node computes a part that is here. */
  holds(partName: string): boolean
  /** Whether a part is fetched and kept, whatever its traffic. */
  wants(partName: string): boolean
  /** Whether parts are fetched by their traffic. */
  readonly byTraffic: boolean
}

/** `hold` is ["auto"], ["all"], ["none"], or part names in which * stands for any text; "auto" beside names keeps both. */
export function holdSetting(hold: readonly string[]): HoldSetting {
  const byTraffic = hold.includes('auto')
  const all = hold.includes('all')
  const patterns = hold.filter(word => !words.has(word)).map(patternOf)
  const wants = (name: string): boolean => all || patterns.some(pattern => pattern.test(name))
  return { byTraffic, wants, holds: name => byTraffic || wants(name) }
}

const words = new Set(['auto', 'all', 'none'])

function patternOf(text: string): RegExp {
  const texts = text.split(/\*+/).map(part => part.replaceAll('.', '\\.'))
  return new RegExp(`^${texts.join('.*')}$`)
}
