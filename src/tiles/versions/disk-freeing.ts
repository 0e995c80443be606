import type { PartChain } from '../../dag/index.ts'
import { isBlyanError } from '../../errors/index.ts'
import { type DeltaFileHeader, readDeltaHeader } from '../maths/delta-file.ts'
import type { TensorInfo } from '../tensor-info.ts'
import type { TensorStore } from '../tensor-store.ts'
import { readTensorHeadData } from './part-data.ts'

/** What has to be known to tell a spent file from one that somebody still needs. */
export type DiskFreeing = {
  readonly tensors: Pick<TensorStore, 'list' | 'remove' | 'unpin'>
  readonly network: string
  /** Parts on chain, by name. */
  readonly parts: () => readonly string[]
  readonly chainOf: (part: string) => PartChain | undefined
  /** CIDs of all versions a part ever had, oldest first; the chain keeps them. */
  readonly historyOf: (part: string) => readonly string[]
  /** Number of the round that a model is in; undefined for a model that nobody trains here. */
  readonly roundOf: (model: string) => number | undefined
  /** Tensors of candidates that were refused or lapsed. */
  readonly refusedTensors: () => Iterable<string>
  /** The engine has it mapped, or an answer uses it. */
  readonly isMapped: (cid: string) => boolean
  /** Pinned by this node itself, not by a person. */
  readonly isOwnPin: (cid: string) => boolean
  /** A node that keeps archives frees nothing. */
  readonly keepsArchive: () => boolean
}

export type Freed = { readonly files: number; readonly bytes: number }

/** The newest and the one before: what is before and after a measurement, and what answers that run now may still use. */
export const versionsKept = 2
/** Deltas may come three rounds late, and a backup may still replay the round that has just ended. */
export const roundsKept = 4
/** Names of the tensors that hold delta files and update files. */
export const deltaTensorNames: readonly string[] = ['delta', 'update']

/** Removes what nobody needs from this disk. What is pinned by a person, part of a bundle or mapped stays. */
export async function freeDisk(needs: DiskFreeing): Promise<Freed> {
  if (needs.keepsArchive()) return { files: 0, bytes: 0 }
  const spent = new Set(needs.refusedTensors())
  const wanted = new Set<string>()
  for (const part of needs.parts()) {
    const chain = needs.chainOf(part)
    // A part outside the networks that learn is never superseded by this machine's doing.
    if (chain === undefined) continue
    const history = needs.historyOf(part)
    for (const cid of history.slice(0, -versionsKept)) spent.add(cid)
    for (const cid of history.slice(-versionsKept)) wanted.add(cid)
    for (const { update } of chain.updates) wanted.add(update)
  }
  let files = 0
  let bytes = 0
  for (const info of needs.tensors.list()) {
    if (wanted.has(info.cid) || needs.isMapped(info.cid)) continue
    if (!spent.has(info.cid) && !(await isSpentDelta(info, needs))) continue
    if (!(await removed(info, needs))) continue
    files++
    bytes += info.sizeBytes
  }
  return { files, bytes }
}

/** A delta or update file of this network, of a round that is long over. What people keep under that name stays. */
async function isSpentDelta(info: TensorInfo, { network, roundOf }: DiskFreeing): Promise<boolean> {
  if (info.dtype !== 'int8' || !deltaTensorNames.includes(info.name)) return false
  const header = await headerOf(info)
  if (header === undefined || header.network !== network) return false
  const round = roundOf(header.model)
  // Of a round that is far ahead is only what somebody made to be kept for ever.
  return round !== undefined && (header.round + roundsKept < round || header.round > round + roundsKept)
}

async function headerOf(info: TensorInfo): Promise<DeltaFileHeader | undefined> {
  try {
    return readDeltaHeader(await readTensorHeadData(info))
  } catch {
    // It went while we looked, or the disk fails: then nothing is removed.
    return undefined
  }
}

async function removed(info: TensorInfo, { tensors, isOwnPin }: DiskFreeing): Promise<boolean> {
  try {
    if (info.pinned && isOwnPin(info.cid)) await tensors.unpin(info.cid)
    else if (info.pinned) return false
    await tensors.remove(info.cid)
    return true
  } catch (error) {
    if (isBlyanError(error, 'TENSOR_IN_USE') || isBlyanError(error, 'TENSOR_NOT_FOUND')) return false
    throw error
  }
}
