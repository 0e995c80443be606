import { type CID, parseCid } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { ReferenceBlockstore } from '../storage/index.ts'
import { type Bundle, bundleSizeBytesMax, decodeBundle, encodeBundle, isBundleCid } from './bundle.ts'
import { type DataType, inputInvalid } from './data-types.ts'
import { createKeyedLock } from './keyed-lock.ts'
import { digestLeaves } from './leaf-digests.ts'
import type { SafetensorsEntry } from './safetensors.ts'
import { makeSpotProof, type SpotProof } from './spot-proof.ts'
import type { TensorDescription } from './tensor-block.ts'
import { recoverFiles, type TensorVerdict, verifyTensor } from './tensor-checks.ts'
import { buildTensorDag, isTensorCid, type TensorSize } from './tensor-dag.ts'
import { type ExportFormat, exportBundle, exportTensor, type TensorExport } from './tensor-export.ts'
import {
  type FetchBlock,
  type FetchLimits,
  type FetchOptions,
  fetchSmallBlock,
  fetchTensorFile
} from './tensor-fetch.ts'
import { headOf, importNpy, importSafetensors, importTensor, importTensorBlock, removeAdded } from './tensor-import.ts'
import { type StoredObject, storedBundle, storedTensor, type TensorInfo } from './tensor-info.ts'
import { createTensorShelf, type ShelfLimits, type TensorShelf } from './tensor-shelf.ts'

export type TensorInput = {
  readonly name: string
  readonly dtype: DataType
  readonly shape: readonly number[]
  readonly data: Uint8Array | AsyncIterable<Uint8Array>
  /** fp32, little-endian: one a column for int8, one a block of 32 for int4. */
  readonly scales?: Uint8Array
}

export type StreamInput = {
  readonly format: ExportFormat
  /** Names the tensor of a .npy file; the other formats carry names of their own. */
  readonly name: string
  readonly bytes: AsyncIterable<Uint8Array>
}

export type TensorLimits = FetchLimits & ShelfLimits

const gibibyte = 1024 ** 3

export const defaultTensorLimits: TensorLimits = {
  tensorSizeBytesMax: 64 * gibibyte,
  quotaBytes: 1024 * gibibyte,
  leavesInFlight: 128,
  fetchTimeoutMs: 30 * 60_000,
  stallTimeoutMs: 3_000
}

/** The tensors of this machine: each one file, on disk once, served to peers as the IPFS object it is. */
export interface TensorStore {
  /** Imports a file in one pass and in bounded memory. A failure leaves nothing behind. */
  putStream(input: StreamInput): Promise<StoredObject>
  /** Stores a tensor that was computed here. The same input has the same CID on every machine. */
  putTensor(input: TensorInput): Promise<TensorInfo>
  /** From this machine, else from peers. Brings all tensors of a bundle. */
  fetch(cid: string, options?: FetchOptions): Promise<StoredObject>
  /** The same for a CID that must name one tensor. */
  fetchTensor(cid: string, options?: FetchOptions): Promise<TensorInfo>
  /** A tensor that is here. */
  info(cid: string): TensorInfo | undefined
  /** The same as `info(cid) !== undefined`, for those who ask of thousands. */
  has(cid: string): boolean
  /** A tensor or bundle that is here. */
  find(cid: string): StoredObject | undefined
  /** Hashes everything on disk again. */
  verify(cid: string): Promise<TensorVerdict>
  /** Leaves of a tensor that a salt chooses, with their path to its CID; undefined when it is not here. */
  prove(cid: string, salt: Uint8Array, count: number): Promise<SpotProof | undefined>
  /** The file it came from, byte for byte; or its TensorBlock on request. */
  export(cid: string, options?: { format?: ExportFormat }): Promise<TensorExport>
  list(): TensorInfo[]
  listBundles(): StoredObject[]
  pin(cid: string): Promise<void>
  unpin(cid: string): Promise<void>
  /** Removes what is neither pinned nor part of a bundle; a bundle goes with what only it kept. */
  remove(cid: string): Promise<void>
  /** Cancels fetches and waits for what is being written. The blockstore stays open. */
  close(): Promise<void>
}

export type TensorStoreNeeds = {
  readonly blockstore: ReferenceBlockstore
  readonly fetchBlock?: FetchBlock
  readonly limits?: Partial<TensorLimits>
}

/** Opens the store; files that a crash left without their place in the blockstore are checked and get it. */
export async function createTensorStore(needs: TensorStoreNeeds): Promise<TensorStore> {
  await recoverFiles(needs.blockstore)
  return new FileTensorStore(needs)
}

/** The CID that `putTensor` would give, without writing anything. */
export function cidOfTensor(input: TensorInput & { readonly data: Uint8Array }): string {
  const { region, layout } = headOf(descriptionOf(input), input.scales)
  if (input.data.length !== layout.dataLengthBytes) {
    throw inputInvalid(`${input.data.length} bytes of data where ${layout.dataLengthBytes} belong`)
  }
  return buildTensorDag(digestLeaves(region, input.data, layout), layout).root.toString()
}

class FileTensorStore implements TensorStore {
  readonly #blockstore: ReferenceBlockstore
  readonly #fetchBlock: FetchBlock | undefined
  readonly #limits: TensorLimits
  readonly #shelf: TensorShelf
  readonly #fetches = createKeyedLock()
  readonly #closing = new AbortController()
  readonly #active = new Set<Promise<unknown>>()

  constructor({ blockstore, fetchBlock, limits }: TensorStoreNeeds) {
    this.#blockstore = blockstore
    this.#fetchBlock = fetchBlock
    this.#limits = { ...defaultTensorLimits, ...limits }
    this.#shelf = createTensorShelf(blockstore, this.#limits)
  }

  putStream({ format, name, bytes }: StreamInput): Promise<StoredObject> {
    return this.#while(async () => {
      if (format === 'npy') return storedTensor((await importNpy(this.#shelf, name, bytes)).info)
      if (format === 'tblock') return storedTensor((await importTensorBlock(this.#shelf, bytes)).info)
      const { header, added } = await importSafetensors(this.#shelf, bytes)
      try {
        const tensors = added.map(({ info }) => info)
        return await this.#keepBundle({ header, tensors: tensors.map(({ cid }) => parseCid(cid)) }, name)
      } catch (error) {
        await removeAdded(this.#shelf, added)
        throw error
      }
    })
  }

  putTensor(input: TensorInput): Promise<TensorInfo> {
    return this.#while(async () => {
      const head = headOf(descriptionOf(input), input.scales)
      const data = input.data instanceof Uint8Array ? once(input.data) : input.data
      return (await importTensor(this.#shelf, head, data)).info
    })
  }

  async fetch(cid: string, options: FetchOptions = {}): Promise<StoredObject> {
    const root = parseCid(cid)
    return (
      this.find(cid) ??
      (isBundleCid(root) ? this.#fetchBundle(root, options) : this.#fetchTensor(root, options).then(storedTensor))
    )
  }

  async fetchTensor(cid: string, options: FetchOptions = {}): Promise<TensorInfo> {
    return this.info(cid) ?? this.#fetchTensor(parseCid(cid), options)
  }

  info(cid: string): TensorInfo | undefined {
    return this.#shelf.info(parseCid(cid))
  }

  has(cid: string): boolean {
    const root = parseCid(cid)
    return this.#blockstore.registeredFile(root)?.root.equals(root) === true
  }

  find(cid: string): StoredObject | undefined {
    const info = this.info(cid)
    if (info !== undefined) return storedTensor(info)
    return this.listBundles().find(bundle => bundle.cid === cid)
  }

  async verify(cid: string): Promise<TensorVerdict> {
    let leavesChecked = 0
    for (const info of this.#here(cid).tensors) {
      const verdict = await verifyTensor(this.#blockstore, parseCid(info.cid), info)
      leavesChecked += verdict.leavesChecked
      if (!verdict.valid) return { valid: false, reason: `${info.cid}: ${verdict.reason}`, leavesChecked }
    }
    return { valid: true, leavesChecked }
  }

  prove(cid: string, salt: Uint8Array, count: number): Promise<SpotProof | undefined> {
    return this.#while(async () => makeSpotProof(this.#blockstore, cid, salt, count))
  }

  async export(cid: string, options: { format?: ExportFormat } = {}): Promise<TensorExport> {
    const { kind, tensors } = this.#here(cid)
    if (kind === 'tensor') return exportTensor(tensors[0]!, options.format)
    if (options.format !== undefined && options.format !== 'safetensors') {
      throw inputInvalid('a bundle is exported as .safetensors; export its tensors one by one')
    }
    const root = parseCid(cid)
    const bytes = await this.#blockstore.read(root)
    if (bytes === undefined) throw new BlyanError('TENSOR_NOT_FOUND', { cid })
    return exportBundle(await decodeBundle(root, bytes), tensors, this.#nameOfBundle(root))
  }

  list(): TensorInfo[] {
    return this.#shelf.list()
  }

  listBundles(): StoredObject[] {
    return this.#blockstore.collections().flatMap(({ root, members }) => {
      const tensors = members.flatMap(member => this.#shelf.info(member) ?? [])
      // Files that somebody deleted by hand leave their bundle incomplete: it has to be fetched again.
      return tensors.length === members.length ? [storedBundle(root, tensors)] : []
    })
  }

  async pin(cid: string): Promise<void> {
    this.#here(cid)
    await this.#blockstore.pin(parseCid(cid))
  }

  async unpin(cid: string): Promise<void> {
    await this.#blockstore.unpin(parseCid(cid))
  }

  async remove(cid: string): Promise<void> {
    const root = parseCid(cid)
    const bundle = this.#blockstore.collections().find(collection => collection.root.equals(root))
    if (bundle === undefined) return this.#shelf.remove(root)
    if (this.#blockstore.isPinned(root)) throw new BlyanError('TENSOR_IN_USE', { cid, reason: 'pinned' })
    await this.#blockstore.removeCollection(root)
    for (const member of bundle.members) {
      const isKept = this.#blockstore.isPinned(member) || this.#blockstore.keepersOf(member).length > 0
      if (!isKept && this.#shelf.info(member) !== undefined) await this.#shelf.remove(member)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#active)
  }

  #fetchTensor(root: CID, options: FetchOptions): Promise<TensorInfo> {
    const cid = root.toString()
    const signal = this.#withClosing(options).signal
    const turn = Promise.withResolvers<never>()
    const onAbort = () => turn.reject(new BlyanError('TENSOR_FETCH_ABORTED', { cid }))
    signal?.addEventListener('abort', onAbort)
    const fetched = this.#fetches.run(cid, async () => {
      // From here on the fetch itself ends when it is cancelled, after it has cleaned up.
      signal?.removeEventListener('abort', onAbort)
      const here = this.#shelf.info(root)
      if (here !== undefined) return here
      if (!isTensorCid(root)) throw new BlyanError('TENSOR_DAG_INVALID', { cid, reason: 'it names another kind' })
      const written = await fetchTensorFile(root, this.#fetchNeeds(root), { ...options, signal })
      return (await this.#shelf.add(written)).info
    })
    return this.#while(() => Promise.race([fetched, turn.promise]))
  }

  async #fetchBundle(root: CID, options: FetchOptions): Promise<StoredObject> {
    return this.#while(async () => {
      const fetchOptions = { ...this.#withClosing(options), sizeBytesMax: bundleSizeBytesMax }
      const bundle = await decodeBundle(root, await fetchSmallBlock(root, this.#fetchNeeds(root), fetchOptions))
      const sizes = bundle.header.entries.map(({ beginBytes, endBytes }) => endBytes - beginBytes)
      const totalBytes = sizes.reduce((total, size) => total + size, 0)
      let doneBytes = 0
      for (const [index, tensor] of bundle.tensors.entries()) {
        const before = doneBytes
        const onProgress = (received: number) =>
          options.onProgress?.(Math.min(before + received, totalBytes), totalBytes)
        const info = await this.fetchTensor(tensor.toString(), { ...options, onProgress })
        checkMember(root, info, bundle.header.entries[index]!)
        doneBytes += sizes[index]!
      }
      return this.#keepBundle(bundle, '')
    })
  }

  async #keepBundle(bundle: Bundle, name: string): Promise<StoredObject> {
    const { cid, bytes } = encodeBundle(bundle)
    await this.#blockstore.registerCollection({ root: cid, members: bundle.tensors, description: { name } }, bytes)
    return this.#here(cid.toString())
  }

  #nameOfBundle(root: CID): string {
    const description = this.#blockstore.collections().find(collection => collection.root.equals(root))?.description
    const [name] = typeof description === 'object' && description !== null ? Object.values(description) : []
    return typeof name === 'string' ? name : ''
  }

  #fetchNeeds(root: CID) {
    if (this.#fetchBlock === undefined) throw new BlyanError('TENSOR_NOT_FOUND', { cid: root.toString() })
    return {
      blockstore: this.#blockstore,
      fetchBlock: this.#fetchBlock,
      limits: this.#limits,
      createFile: (size: TensorSize) => this.#shelf.create(size)
    }
  }

  #withClosing(options: FetchOptions): FetchOptions {
    const { signal } = this.#closing
    return { ...options, signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]) }
  }

  #here(cid: string): StoredObject {
    const found = this.find(cid)
    if (found === undefined) throw new BlyanError('TENSOR_NOT_FOUND', { cid })
    return found
  }

  /** Counts the work as active, so that closing waits for it. */
  async #while<T>(work: () => Promise<T>): Promise<T> {
    const running = work()
    this.#active.add(running)
    try {
      return await running
    } finally {
      this.#active.delete(running)
    }
  }
}

function descriptionOf({ name, dtype, shape }: TensorInput): TensorDescription {
  return { name, dtype, shape, source: { format: 'tblock' } }
}

/** A bundle may only link tensors that are what its header says. */
function checkMember(root: CID, info: TensorInfo, entry: SafetensorsEntry): void {
  const sameShape =
    info.shape.length === entry.shape.length && info.shape.every((size, axis) => size === entry.shape[axis])
  if (info.dtype === entry.dtype && sameShape && info.dataLengthBytes === entry.endBytes - entry.beginBytes) return
  throw new BlyanError('TENSOR_DAG_INVALID', { cid: root.toString(), reason: `its tensor ${info.cid} is another one` })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
