import type { CID } from '../../codec/index.ts'
import type { Genesis } from '../../dag/index.ts'
import { newestOf, readPartChain } from '../../dag/index.ts'
import { chainLimits } from './limits.ts'
import { learningKeys, pagesLength, readAt, readPages, type StateReader } from './store.ts'

/** A part of a model that can be learnt. */
export type ChainPart = { readonly name: string; readonly bytes: number }

type GenesisPart = ChainPart & { readonly tensor: string; readonly block: string }
type StoredPart = { readonly block: CID; readonly shape: readonly number[] }

const genesisModel = 'genesis'
const bytesEach = 4
const genesisParts = new WeakMap<Genesis, ReadonlyMap<string, GenesisPart>>()

/** Parts of genesis by name; made once for each genesis. */
export function partsOfGenesis(genesis: Genesis): ReadonlyMap<string, GenesisPart> {
  const known = genesisParts.get(genesis)
  if (known !== undefined) return known
  const blocks = new Map(genesis.blocks.map(block => [block.header.expert_name, block.cid.toString()]))
  const parts = new Map(
    genesis.file.model.parts.map(({ name, tensor, shape }) => [
      name,
      { name, tensor, bytes: bytesOf(shape), block: blocks.get(name)! }
    ])
  )
  genesisParts.set(genesis, parts)
  return parts
}

/** The model that a part belongs to, by its name on chain. */
export function modelOfPart(state: StateReader, name: string): string {
  const [first, ...rest] = name.split('.')
  return rest.length > 0 && state.get(`model/${first}`) !== undefined ? first! : genesisModel
}

export function isModelKnown(state: StateReader, model: string): boolean {
  return model === genesisModel || state.get(`model/${model}`) !== undefined
}

/** What there is to learn of a model, in the order in which it came onto the chain. */
export function partsOfModel(state: StateReader, genesis: Genesis, model: string): readonly ChainPart[] {
  if (model === genesisModel) return [...partsOfGenesis(genesis).values()].slice(0, chainLimits.partsOfModel)
  return readPages<ChainPart>(state, learningKeys.parts(model))
}

export function partCountOf(state: StateReader, genesis: Genesis, model: string): number {
  return model === genesisModel
    ? Math.min(partsOfGenesis(genesis).size, chainLimits.partsOfModel)
    : pagesLength(state, learningKeys.parts(model))
}

export function bytesOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, bytesEach)
}

/**
 * CID of the tensor of the newest version of a part. Undefined where the state does not say: parts that were published
 * before the network learnt.
 */
export function newestTensor(state: StateReader, genesis: Genesis, name: string): string | undefined {
  const chain = readPartChain(state, name)
  if (chain !== undefined) return newestOf(chain)
  const first = partsOfGenesis(genesis).get(name)
  const stored = readAt<StoredPart>(state, `part/${name}`)
  return first !== undefined && stored?.block.toString() === first.block ? first.tensor : undefined
}

/** Whether one of several patterns names a part, by its name on chain or its name within the model. */
export function matchesPart(patterns: readonly string[], model: string, name: string): boolean {
  const short = model === genesisModel ? name : name.slice(model.length + 1)
  return patterns.some(pattern => matches(pattern, name) || (short !== name && matches(pattern, short)))
}

function matches(pattern: string, text: string): boolean {
  const pieces = pattern.split('*')
  const first = pieces[0]!
  if (pieces.length === 1) return pattern === text
  const last = pieces.at(-1)!
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
