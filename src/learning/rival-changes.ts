import { openDeltaFile, readPartValues, type TensorStore } from '../tiles/index.ts'
import { baseOf, type Candidate, candidatesOf, partChainOf, type Reveal, revealsOf } from './chain/index.ts'
import type { Changes } from './core/verdict.ts'
import { readReveal } from './delta-reader.ts'
import type { LearningChain } from './learning-chain.ts'
import type { ModelParts } from './model-parts.ts'
import { fetchBytes } from './stored-bytes.ts'

export type RivalNeeds = {
  readonly chain: LearningChain
  readonly parts: ModelParts
  readonly tensors: Pick<TensorStore, 'fetchTensor' | 'info'>
  readonly signal: AbortSignal
}

const rivalsMax = 8
const ownMax = 16
const updatesMax = 3
const fetchTimeoutMs = 5_000

/** Changes that were there before a proposal. */
export type Rival = {
  readonly changes: Changes
  /** Whether the author of the proposal made them. */
  readonly isOwn: boolean
  /** Id of the candidate, 0 for what is none. */
  readonly candidate: number
}

/**
 * What a proposal may be a copy of: candidates before it, the last updates of its parts, deltas that others have revealed
 * in the round of now. What cannot be had in time is left out. `bases` by the name on chain.
 */
export async function rivalChanges(needs: RivalNeeds, candidate: Candidate, bases: Changes): Promise<Rival[]> {
  const { chain } = needs
  // All of the state is read before the first wait.
  const earlier = candidatesOf(chain.state, candidate.model).filter(
    ({ id, parts }) => Number(id) < Number(candidate.id) && parts.some(({ name }) => bases.has(name))
  )
  const before = [
    ...earlier.filter(({ author }) => author !== candidate.author).slice(-rivalsMax),
    ...earlier.filter(({ author }) => author === candidate.author).slice(-ownMax)
  ]
  const updates = lastUpdates(needs, bases.keys())
  const reveals = revealsOf(chain.state, candidate.model)
    .filter(({ account }) => account !== candidate.author)
    .slice(0, rivalsMax)
    .map(reveal => ({
      reveal,
      tensors: new Map(
        needs.parts.all.map(({ name }) => [name, baseOf(chain.state, chain.genesis, name, reveal.baseRound)])
      )
    }))
  const found = await Promise.allSettled([
    ...before.map(async other => ({
      changes: await changesOfCandidate(needs, other, bases),
      isOwn: other.author === candidate.author,
      candidate: Number(other.id)
    })),
    ...updates.map(async update => ({ ...noCandidate, changes: await changesOfUpdate(needs, update, bases) })),
    ...reveals.map(async ({ reveal, tensors }) => ({
      ...noCandidate,
      changes: await changesOfReveal(needs, reveal, tensors, bases)
    }))
  ])
  return found.flatMap(each => (each.status === 'fulfilled' && each.value.changes.size > 0 ? [each.value] : []))
}

const noCandidate = { isOwn: false, candidate: 0 }

async function changesOfReveal(
  needs: RivalNeeds,
  reveal: Reveal,
  bases: ReadonlyMap<string, string | undefined>,
  wanted: Changes
): Promise<Changes> {
  const { chain, parts, tensors, signal } = needs
  const tensorOf = (name: string): string | undefined => bases.get(name)
  const reader = { tensors, network: chain.genesis.cid, parts }
  return decodedOf(await readReveal(reader, reveal, { tensorOf, timeoutMs: fetchTimeoutMs, signal }), wanted)
}

async function changesOfCandidate(needs: RivalNeeds, other: Candidate, bases: Changes): Promise<Changes> {
  const { tensors, signal } = needs
  const isOpen = other.status === 'measuring' || other.status === 'approved'
  const changes = new Map<string, Float32Array>()
  for (const { name, tensor } of other.parts) {
    const base = bases.get(name)
    if (base === undefined) continue
    const here = tensors.info(tensor)
    if (here === undefined && !isOpen) continue
    const values = await readPartValues(
      here ?? (await tensors.fetchTensor(tensor, { timeoutMs: fetchTimeoutMs, signal }))
    )
    if (values.length === base.length)
      changes.set(
        name,
        values.map((value, at) => value - base[at]!)
      )
  }
  return changes
}

/** The last updates that any of these parts got, with what they were added to. */
function lastUpdates({ chain, parts }: RivalNeeds, names: Iterable<string>): PublishedUpdate[] {
  const chains = new Map(parts.all.map(({ name }) => [name, partChainOf(chain.state, chain.genesis, name)]))
  const sizes = new Map<string, number>()
  for (const name of names)
    for (const { update, sizeBytes } of chains.get(name)?.updates.slice(-updatesMax) ?? []) sizes.set(update, sizeBytes)
  return [...sizes].slice(-rivalsMax).map(([update, sizeBytes]) => {
    const tensors = new Map<string, string>()
    for (const [name, made] of chains) {
      const at = made?.updates.findIndex(each => each.update === update) ?? -1
      if (at >= 0) tensors.set(name, at === 0 ? made!.snapshot : made!.updates[at - 1]!.tensor)
    }
    return { update, sizeBytes, tensors }
  })
}

type PublishedUpdate = {
  readonly update: string
  readonly sizeBytes: number
  readonly tensors: ReadonlyMap<string, string>
}

async function changesOfUpdate(needs: RivalNeeds, published: PublishedUpdate, bases: Changes): Promise<Changes> {
  const { chain, parts, tensors, signal } = needs
  const { update, sizeBytes } = published
  const limits = { sizeBytesMax: sizeBytes, timeoutMs: fetchTimeoutMs, signal }
  const file = openDeltaFile(await fetchBytes(tensors, update, 'update', limits), {
    network: chain.genesis.cid,
    model: parts.model,
    partOf: name => {
      const tensor = published.tensors.get(name)
      return tensor === undefined ? undefined : { tensor, layouts: parts.named(name)!.layouts }
    },
    sizeBytesMax: sizeBytes
  })
  return decodedOf(file, bases)
}

type Decodable = { readonly parts: readonly string[]; decode(part: string): Float32Array }

function decodedOf(file: Decodable, bases: Changes): Changes {
  return new Map(file.parts.filter(name => bases.has(name)).map(name => [name, file.decode(name)]))
}
