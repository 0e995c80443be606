import { CID, decodeCanonical, publicKeyToText } from '../../codec/index.ts'
import { type Chains, eventLimits, type Genesis, type ParamIndex } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type Architecture, describeModel, type PartDescription, parseArchitecture } from '../../experts/index.ts'
import type { ModelEntry, ModelPart } from '../answers/answer-types.ts'

/** The models that chains A and B hold, as plain entries: read from the state, kept until a part or a model is added. */
export interface ModelCatalogue {
  /** Genesis first, then by name. */
  list(): ModelEntry[]
  /** Throws MODEL_UNKNOWN. Undefined: genesis. */
  get(name: string | undefined): ModelEntry
  /** Throws MODEL_UNKNOWN, MODEL_INCOMPLETE. */
  complete(name: string | undefined): ModelEntry
  /** The newest part that a tensor is, of the first model that has it. */
  findTensor(tensor: string): FoundPart | undefined
  stop(): void
}

export type FoundPart = { readonly entry: ModelEntry; readonly part: ModelPart }

export type ModelCatalogueNeeds = {
  readonly genesis: Genesis
  readonly chains: Pick<Chains, 'parts' | 'state' | 'stateEntries' | 'onFinal'>
  readonly isHere: (tensor: string) => boolean
}

export const genesisModelName = 'genesis'
export const modelKeyPrefix = 'model/'
const registerType = 'model-register'
const modelsShownMax = 4096

/** Models that were registered and have no part yet are found through the stored state, once, and through events after that. */
export async function createModelCatalogue(needs: ModelCatalogueNeeds): Promise<ModelCatalogue> {
  const names = new Set<string>()
  for await (const [key] of needs.chains.stateEntries(modelKeyPrefix, modelsShownMax))
    names.add(key.slice(modelKeyPrefix.length))
  return new ChainModelCatalogue(needs, names)
}

type Registered = {
  readonly architecture: Architecture
  readonly author: string
  readonly tokenizer: string | null
  readonly block: string
  /** Height of chain B when it was registered: parts of that name from before are none of it. */
  readonly partsFrom: number
}

class ChainModelCatalogue implements ModelCatalogue {
  readonly #needs: ModelCatalogueNeeds
  /** Names that may be registered; the state has the last word. */
  readonly #names: Set<string>
  readonly #stopListening: () => void
  /** What never changes of a model, described once: by name. */
  readonly #described = new Map<string, { readonly of: Registered; readonly parts: readonly PartDescription[] }>()
  #entries = new Map<string, ModelEntry>()
  /** Made when it is first asked for. */
  #byTensor: Map<string, FoundPart> | undefined
  #madeFrom: { readonly index: ParamIndex; readonly changes: number } | undefined

  constructor(needs: ModelCatalogueNeeds, names: Set<string>) {
    this.#needs = needs
    this.#names = names
    this.#stopListening = needs.chains.onFinal(executed => {
      const { type, payload } = executed.event.envelope
      if (type !== registerType || executed.refusal !== '') return
      this.#names.add(nameIn(payload))
      this.#madeFrom = undefined
    })
  }

  list(): ModelEntry[] {
    return [...this.#current().values()]
  }

  get(name: string | undefined): ModelEntry {
    const entries = this.#current()
    // Whoever has stake can register a model: no stranger's is to answer those who named none.
    const found = entries.get(name ?? genesisModelName)
    if (found !== undefined) return found
    const known = [...entries.keys()].slice(0, 16).join(', ')
    throw new BlyanError('MODEL_UNKNOWN', { model: String(name).slice(0, 64), known })
  }

  complete(name: string | undefined): ModelEntry {
    const entry = this.get(name)
    if (entry.isComplete) return entry
    const described = this.#describedParts(entry)
    const missing = described.filter(part => !entry.parts.some(({ part: short }) => short === part.name))
    throw new BlyanError('MODEL_INCOMPLETE', {
      model: entry.name,
      missing: missing.length,
      parts: described.length,
      first: missing[0]?.name ?? ''
    })
  }

  findTensor(tensor: string): FoundPart | undefined {
    const entries = this.#current()
    if (this.#byTensor === undefined) {
      this.#byTensor = new Map()
      for (const entry of entries.values())
        for (const part of entry.parts)
          if (!this.#byTensor.has(part.tensor)) this.#byTensor.set(part.tensor, { entry, part })
    }
    return this.#byTensor.get(tensor)
  }

  stop(): void {
    this.#stopListening()
  }

  #current(): ReadonlyMap<string, ModelEntry> {
    const { parts } = this.#needs.chains
    const made = this.#madeFrom
    if (made !== undefined && made.index === parts && made.changes === parts.changes) return this.#entries
    for (const name of parts.names()) {
      const [first, ...rest] = name.split('.', 2)
      if (rest.length > 0) this.#names.add(first!)
    }
    const entries = new Map([[genesisModelName, this.#genesisEntry()]])
    for (const name of [...this.#names].sort()) {
      const registered = this.#registered(name)
      if (registered !== undefined) entries.set(name, this.#entryOf(name, registered))
    }
    this.#madeFrom = { index: parts, changes: parts.changes }
    this.#entries = entries
    this.#byTensor = undefined
    return entries
  }

  #genesisEntry(): ModelEntry {
    const { genesis } = this.#needs
    const architecture = parseArchitecture(genesis.file.model.architecture)
    const block = genesis.blocks.find(({ header }) => header.chain_id === 'A')!
    const registered = { architecture, author: '', tokenizer: null, block: block.cid.toString(), partsFrom: 0 }
    return { ...this.#entryOf(genesisModelName, registered, ''), isGenesis: true, author: null }
  }

  #entryOf(name: string, registered: Registered, prefix = `${name}.`): ModelEntry {
    const described = this.#describe(name, registered)
    const parts = described.flatMap(description => this.#partOf(prefix, description, registered.partsFrom) ?? [])
    const { architecture, author, tokenizer, block } = registered
    const isComplete = parts.length === described.length
    return { name, architecture, isGenesis: false, block, author, tokenizer, parts, isComplete }
  }

  #partOf(prefix: string, description: PartDescription, partsFrom: number): ModelPart | undefined {
    const version = this.#needs.chains.parts.newest(prefix + description.name)
    // A part of another shape than its architecture says is none of this model.
    if (version === undefined || version.shape.join() !== description.shape.join()) return undefined
    if (partsFrom > 0 && Number(this.#needs.chains.state.get(`block/${version.block}`) ?? -1) < partsFrom)
      return undefined
    const { isHere } = this.#needs
    return {
      name: version.name,
      part: description.name,
      blockType: description.blockType,
      layer: description.layer,
      expert: description.expert,
      block: version.block,
      tensor: version.tensor,
      shape: version.shape,
      lengthBytes: description.dataLengthBytes,
      get isHere() {
        return isHere(version.tensor)
      }
    }
  }

  /** Undefined where the state has none, or a record that this version of the program cannot read. */
  #registered(name: string): Registered | undefined {
    const value = this.#needs.chains.state.get(modelKeyPrefix + name)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const { architecture, author, tokenizer, block, partsFrom } = value as Record<string, unknown>
    try {
      return {
        architecture: parseArchitecture(architecture),
        author: author instanceof Uint8Array ? publicKeyToText(author) : String(author),
        tokenizer: tokenizer === null || tokenizer === undefined ? null : textOf(tokenizer),
        block: textOf(block),
        partsFrom: Number(partsFrom ?? 0)
      }
    } catch {
      return undefined
    }
  }

  #describe(name: string, registered: Registered): readonly PartDescription[] {
    const known = this.#described.get(name)
    if (known?.of.block === registered.block) return known.parts
    const parts = describeModel(registered.architecture)
    this.#described.set(name, { of: registered, parts })
    return parts
  }

  #describedParts(entry: ModelEntry): readonly PartDescription[] {
    return this.#described.get(entry.name)?.parts ?? describeModel(entry.architecture)
  }
}

function nameIn(payload: Uint8Array): string {
  const value = decodeCanonical(payload, { sizeBytesMax: eventLimits.payloadBytesMax }) as {
    readonly name?: unknown
  } | null
  return typeof value?.name === 'string' ? value.name : ''
}

function textOf(link: unknown): string {
  return CID.asCID(link)?.toString() ?? String(link)
}
