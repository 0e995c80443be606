import type { PartChain, PartUpdate } from '../../dag/index.ts'
import { newestOf } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { fetchWithin } from '../fetch-within.ts'
import { createKeyedLock, type KeyedLock } from '../keyed-lock.ts'
import { openDeltaFile } from '../maths/delta-file.ts'
import type { TileLayout } from '../maths/tile-layout.ts'
import { addDecoded } from '../maths/update.ts'
import type { FetchOptions } from '../tensor-fetch.ts'
import type { TensorInfo } from '../tensor-info.ts'
import type { TensorStore } from '../tensor-store.ts'
import { type DiskFreeing, type Freed, freeDisk } from './disk-freeing.ts'
import { partTensor, readPartValues, readTensorData } from './part-data.ts'

/** The versions of parts on this machine: the newest made or fetched, the superseded ones removed. */
export interface PartVersions {
  /**
   * The newest version, here. Where an older one is here and the updates since are fewer bytes than the whole, it is made
   * from them and must have the CID that is on chain; else it is fetched whole. Throws PART_VERSION_UNAVAILABLE.
   */
  ensure(part: string, options?: FetchOptions): Promise<TensorInfo>
  /** About how long this machine takes from the last snapshot to the newest version; null before it has made one. */
  loadMs(part: string): number | null
  /** Removes superseded versions, spent updates and deltas, and what candidates left that were refused. */
  free(): Promise<Freed>
}

export type PartVersionsNeeds = DiskFreeing & {
  readonly tensors: Pick<TensorStore, 'info' | 'fetchTensor' | 'putTensor' | 'list' | 'remove' | 'unpin'>
  /** Of a part by its name on chain. */
  readonly chainOf: (part: string) => PartChain | undefined
  readonly layoutsOf: (part: string) => readonly TileLayout[] | undefined
  /** CID of the genesis file, and the model that a part is of: what update files must name. */
  readonly network: string
  readonly modelOf: (part: string) => string
  readonly nowMs: () => number
}

/** An update file carries parts of one primary in int8 at most: a quarter of them and headers. */
const updateFileBytesMax = 256 * 1024 * 1024

export function createPartVersions(needs: PartVersionsNeeds): PartVersions {
  return new VersionsOnDisk(needs)
}

/** What to do to have the newest version. */
export type VersionPlan =
  | { readonly kind: 'here'; readonly tensor: string }
  | { readonly kind: 'apply'; readonly base: string; readonly updates: readonly PartUpdate[] }
  | { readonly kind: 'fetch'; readonly tensor: string }

/**
 * From the newest version that is here, unless the updates since it cost more bytes than the whole: `costOf` is what this
 * part has to bear of fetching an update file, which other parts may share.
 */
export function planVersion(
  chain: PartChain,
  sizeHere: (tensor: string) => number | undefined,
  costOf: (update: PartUpdate) => number
): VersionPlan {
  const tensors = [chain.snapshot, ...chain.updates.map(({ tensor }) => tensor)]
  const newest = newestOf(chain)
  if (sizeHere(newest) !== undefined) return { kind: 'here', tensor: newest }
  for (let at = tensors.length - 2; at >= 0; at--) {
    const sizeBytes = sizeHere(tensors[at]!)
    if (sizeBytes === undefined) continue
    const updates = chain.updates.slice(at)
    const updateBytes = updates.reduce((sum, update) => sum + costOf(update), 0)
    return updateBytes < sizeBytes ? { kind: 'apply', base: tensors[at]!, updates } : { kind: 'fetch', tensor: newest }
  }
  return { kind: 'fetch', tensor: newest }
}

class VersionsOnDisk implements PartVersions {
  readonly #needs: PartVersionsNeeds
  readonly #lock: KeyedLock = createKeyedLock()
  /** What making one version from one update took, the last time; one number a part of this node's models. */
  readonly #updateMs = new Map<string, number>()

  constructor(needs: PartVersionsNeeds) {
    this.#needs = needs
  }

  ensure(part: string, options: FetchOptions = {}): Promise<TensorInfo> {
    return this.#lock.run(part, async () => {
      const chain = this.#needs.chainOf(part)
      if (chain === undefined) throw unavailable(part, 'none', 'it has no version on chain')
      const { tensors } = this.#needs
      const plan = planVersion(
        chain,
        cid => tensors.info(cid)?.sizeBytes,
        update => this.#costOf(update)
      )
      const here = plan.kind === 'here' ? tensors.info(plan.tensor) : undefined
      if (here !== undefined) return here
      return plan.kind === 'apply'
        ? await this.#applyOrFetch(part, chain, plan.base, plan.updates, options)
        : await this.#fetchOrApply(part, chain, options)
    })
  }

  loadMs(part: string): number | null {
    const updateMs = this.#updateMs.get(part)
    const updates = this.#needs.chainOf(part)?.updates.length
    return updateMs === undefined || updates === undefined ? null : updateMs * updates
  }

  free(): Promise<Freed> {
    return freeDisk(this.#needs)
  }

  /**
   * Nothing where the file is here. Else all of it, as large as what its parts say of their shares, borne by the parts that it
   * brings further from a version that is here.
   */
  #costOf({ update }: PartUpdate): number {
    const { tensors, parts, chainOf } = this.#needs
    if (tensors.info(update) !== undefined) return 0
    let fileBytes = 0
    let bearers = 0
    for (const part of parts()) {
      const chain = chainOf(part)
      const at = chain?.updates.findIndex(one => one.update === update) ?? -1
      if (chain === undefined || at < 0) continue
      fileBytes += chain.updates[at]!.sizeBytes
      if (tensors.info(at === 0 ? chain.snapshot : chain.updates[at - 1]!.tensor) !== undefined) bearers++
    }
    return fileBytes / Math.max(1, bearers)
  }

  async #applyOrFetch(
    part: string,
    chain: PartChain,
    base: string,
    updates: readonly PartUpdate[],
    options: FetchOptions
  ): Promise<TensorInfo> {
    try {
      return await this.#apply(part, base, updates, options)
    } catch (error) {
      if (isOurs(error, options)) throw error
      return this.#fetch(part, newestOf(chain), options)
    }
  }

  /** Nobody may keep the newest version whole yet: those who keep archives have the snapshot and what followed. */
  async #fetchOrApply(part: string, chain: PartChain, options: FetchOptions): Promise<TensorInfo> {
    try {
      return await this.#fetch(part, newestOf(chain), options)
    } catch (error) {
      if (chain.updates.length === 0 || isOurs(error, options)) throw error
      try {
        await this.#fetch(part, chain.snapshot, options)
        return await this.#apply(part, chain.snapshot, chain.updates, options)
      } catch {
        throw error
      }
    }
  }

  async #fetch(part: string, tensor: string, options: FetchOptions): Promise<TensorInfo> {
    try {
      return await this.#needs.tensors.fetchTensor(tensor, options)
    } catch (error) {
      if (isOurs(error, options)) throw error
      throw unavailable(part, tensor, error instanceof Error ? error.message : String(error), error)
    }
  }

  async #apply(part: string, base: string, updates: readonly PartUpdate[], options: FetchOptions): Promise<TensorInfo> {
    const { tensors, nowMs } = this.#needs
    const newest = updates.at(-1)!.tensor
    const from = tensors.info(base)
    if (from === undefined) throw unavailable(part, newest, 'its base is not here any more')
    const files = []
    for (const { update } of updates)
      files.push(await fetchWithin(tensors, update, updateFileBytesMax, { ...options, bytesNamed: 'update' }))
    const startedMs = nowMs()
    const values = await readPartValues(from)
    let before = base
    for (const [at, file] of files.entries()) {
      this.#addUpdate(part, before, values, await readTensorData(file))
      before = updates[at]!.tensor
    }
    const made = await tensors.putTensor(partTensor(from, values))
    if (made.cid !== newest) {
      await tensors.remove(made.cid)
      throw unavailable(part, newest, `its updates make ${made.cid}`)
    }
    this.#updateMs.set(part, (nowMs() - startedMs) / updates.length)
    return made
  }

  #addUpdate(part: string, base: string, values: Float32Array, bytes: Uint8Array): void {
    const { network, modelOf, layoutsOf } = this.#needs
    const layouts = layoutsOf(part)
    if (layouts === undefined) throw unavailable(part, base, 'its shape is not known here')
    const file = openDeltaFile(bytes, {
      network,
      model: modelOf(part),
      partOf: name => (name === part ? { tensor: base, layouts } : undefined),
      sizeBytesMax: updateFileBytesMax,
      only: part
    })
    if (!file.parts.includes(part)) throw unavailable(part, base, 'its update file does not name it')
    addDecoded(values, file.decode(part))
  }
}

/** A full disk or a caller who gave up is not helped by another way to the same bytes. */
function isOurs(error: unknown, { signal }: FetchOptions): boolean {
  return signal?.aborted === true || (error instanceof BlyanError && error.code === 'DISK_FULL')
}

function unavailable(part: string, tensor: string, reason: string, cause?: unknown): BlyanError {
  return new BlyanError('PART_VERSION_UNAVAILABLE', { name: part, tensor, reason }, { cause })
}
