import type { CanonicalValue, CID } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { StateView } from './state.ts'

/**
 * How the newest version of a part can be made: a snapshot, then updates one upon the other. A publisher compacts long
 * before this bound (`mustCompact`); it is what the state of every node is willing to hold.
 * Source: docs/design.md, "The life of a part".
 */
export const partUpdatesMax = 32

/** One version that was published as what changed since the one before. */
export type PartUpdate = {
  /** CID of the update file. */
  readonly update: string
  /** CID of the tensor that the part is after it. */
  readonly tensor: string
  /** What this part takes of the update file, as its publisher says. */
  readonly sizeBytes: number
}

export type PartChain = {
  /** CID of the tensor of the last version that was published whole. */
  readonly snapshot: string
  /** Oldest first. */
  readonly updates: readonly PartUpdate[]
}

export type PublishedUpdate = { readonly cid: CID; readonly sizeBytes: number }

/** Undefined for a part without a version, and in networks that do not learn. */
export function readPartChain(state: Pick<StateView, 'get'>, name: string): PartChain | undefined {
  const stored = state.get(chainKey(name)) as StoredChain | undefined
  if (stored === undefined) return undefined
  return {
    snapshot: stored.snapshot.toString(),
    updates: stored.updates.map(({ update, tensor, sizeBytes }) => ({
      update: update.toString(),
      tensor: tensor.toString(),
      sizeBytes
    }))
  }
}

/** CID of the tensor that is the part's newest version. */
export function newestOf({ snapshot, updates }: PartChain): string {
  return updates.at(-1)?.tensor ?? snapshot
}

/** Notes a new version: one with an update lengthens the chain, one without is a snapshot and begins it anew. */
export function recordPartVersion(
  state: StateView,
  name: string,
  version: { readonly tensor: CID; readonly update: PublishedUpdate | null }
): void {
  const { tensor, update } = version
  const stored = state.get(chainKey(name)) as StoredChain | undefined
  if (update === null) state.set(chainKey(name), { snapshot: tensor, updates: [] })
  else {
    if (stored === undefined) throw new BlyanError('PART_UPDATE_BASELESS', { name })
    if (stored.updates.length >= partUpdatesMax)
      throw new BlyanError('PART_CHAIN_TOO_LONG', { name, limit: partUpdatesMax })
    const next = { update: update.cid, tensor, sizeBytes: update.sizeBytes }
    state.set(chainKey(name), { snapshot: stored.snapshot, updates: [...stored.updates, next] })
    state.set(updateKey(update.cid), true)
  }
  state.set(versionKey(tensor), name)
}

/** The part that a tensor is or was a version of. */
export function partOfVersion(state: Pick<StateView, 'get'>, tensor: CID): string | undefined {
  const name = state.get(versionKey(tensor))
  return typeof name === 'string' ? name : undefined
}

/** Whether a version was ever published with this update file. */
export function wasUpdate(state: Pick<StateView, 'get'>, update: CID): boolean {
  return state.get(updateKey(update)) === true
}

type StoredChain = {
  readonly snapshot: CID
  readonly updates: readonly { readonly update: CID; readonly tensor: CID; readonly sizeBytes: number }[]
} & { readonly [key: string]: CanonicalValue }

const chainKey = (name: string): string => `part-chain/${name}`
const versionKey = (tensor: CID): string => `version/${tensor.toString()}`
const updateKey = (update: CID): string => `update/${update.toString()}`
