/** A part's name on chain: that of the model first, but for the one of genesis. */
export const genesisModel = 'genesis'

export function chainNameOf(model: string, part: string): string {
  return model === genesisModel ? part : `${model}.${part}`
}

/** The part's own name; undefined for a name of another model. */
export function shortNameOf(model: string, name: string): string | undefined {
  if (model === genesisModel) return name
  return name.startsWith(`${model}.`) ? name.slice(model.length + 1) : undefined
}
