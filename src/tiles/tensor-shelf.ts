import type { CID } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { ReferenceBlockstore, TemporaryFile } from '../storage/index.ts'
import { createKeyedLock, type KeyedLock } from './keyed-lock.ts'
import { type TensorDescription, type TensorLayout, tooLarge } from './tensor-block.ts'
import { buildTensorDag, checkSize } from './tensor-dag.ts'
import { leavesOf, partsOf } from './tensor-file.ts'
import { encodeFileDescription, fileNameOf, type TensorInfo, tensorInfoOf } from './tensor-info.ts'

/** A tensor whose bytes are all in a file that has no name yet. */
export type WrittenTensor = {
  readonly file: TemporaryFile
  readonly description: TensorDescription
  readonly layout: TensorLayout
  /** SHA-256 of all leaves in order. */
  readonly digests: readonly Uint8Array[]
}

export type ShelfLimits = {
  readonly tensorSizeBytesMax: number
  /** All tensor files together. */
  readonly quotaBytes: number
}

/** The finished files and what the blockstore knows of them. Adding and removing one tensor never overlap. */
export interface TensorShelf {
  /** A temporary file whose size counts against the quota until it is committed or discarded. */
  create(layout: Pick<TensorLayout, 'dataOffsetBytes' | 'dataLengthBytes'>): Promise<TemporaryFile>
  /** Gives the file its name and serves it. A tensor that is here already stays as it is. */
  add(tensor: WrittenTensor): Promise<{ info: TensorInfo; isNew: boolean }>
  info(root: CID): TensorInfo | undefined
  list(): TensorInfo[]
  /** Throws TENSOR_IN_USE for what is pinned or part of a bundle. */
  remove(root: CID): Promise<void>
}

export function createTensorShelf(blockstore: ReferenceBlockstore, limits: ShelfLimits): TensorShelf {
  return new BlockstoreTensorShelf(blockstore, limits)
}

class BlockstoreTensorShelf implements TensorShelf {
  readonly #blockstore: ReferenceBlockstore
  readonly #limits: ShelfLimits
  readonly #lock: KeyedLock = createKeyedLock()
  /** Bytes of finished files and of those being written. */
  #usedBytes: number

  constructor(blockstore: ReferenceBlockstore, limits: ShelfLimits) {
    this.#blockstore = blockstore
    this.#limits = limits
    this.#usedBytes = blockstore.registeredFiles().reduce((total, file) => total + file.sizeBytes, 0)
  }

  async create(size: Pick<TensorLayout, 'dataOffsetBytes' | 'dataLengthBytes'>): Promise<TemporaryFile> {
    checkSize(size)
    const sizeBytes = size.dataOffsetBytes + size.dataLengthBytes
    const { tensorSizeBytesMax, quotaBytes } = this.#limits
    if (sizeBytes > tensorSizeBytesMax) throw tooLarge('a tensor', `${sizeBytes} bytes`, `${tensorSizeBytesMax} bytes`)
    if (this.#usedBytes + sizeBytes > quotaBytes) {
      throw new BlyanError('TENSOR_QUOTA_EXCEEDED', { neededBytes: sizeBytes, quotaBytes })
    }
    this.#usedBytes += sizeBytes
    try {
      const file = await this.#blockstore.files.create()
      return new CountedFile(file, () => {
        this.#usedBytes -= sizeBytes
      })
    } catch (error) {
      this.#usedBytes -= sizeBytes
      throw error
    }
  }

  async add({ file, description, layout, digests }: WrittenTensor): Promise<{ info: TensorInfo; isNew: boolean }> {
    const { root, nodes } = buildTensorDag(digests, layout)
    return this.#lock.run(root.toString(), async () => {
      const here = this.info(root)
      if (here !== undefined) {
        await file.discard()
        return { info: here, isNew: false }
      }
      const fileName = fileNameOf(root)
      const sizeBytes = layout.fileSizeBytes
      await file.commit(fileName, sizeBytes)
      const leaves = leavesOf(digests, layout)
      const fileDescription = encodeFileDescription(description, layout)
      await this.#blockstore.registerFile({ root, fileName, sizeBytes, leaves, nodes, description: fileDescription })
      this.#usedBytes += sizeBytes
      return { info: this.info(root)!, isNew: true }
    })
  }

  info(root: CID): TensorInfo | undefined {
    const file = this.#blockstore.registeredFile(root)
    if (file === undefined || !file.root.equals(root)) return undefined
    return tensorInfoOf(file, this.#blockstore.files.pathOf(file.fileName), this.#isPinned(root))
  }

  list(): TensorInfo[] {
    return this.#blockstore.registeredFiles().flatMap(file => this.info(file.root) ?? [])
  }

  async remove(root: CID): Promise<void> {
    const cid = root.toString()
    await this.#lock.run(cid, async () => {
      const here = this.info(root)
      if (here === undefined) throw new BlyanError('TENSOR_NOT_FOUND', { cid })
      if (this.#blockstore.isPinned(root)) throw new BlyanError('TENSOR_IN_USE', { cid, reason: 'pinned' })
      const [keeper] = this.#blockstore.keepersOf(root)
      if (keeper !== undefined) throw new BlyanError('TENSOR_IN_USE', { cid, reason: `part of bundle ${keeper}` })
      const parts = (await partsOf(this.#blockstore, root)) ?? { leaves: [], nodes: [root] }
      await this.#blockstore.removeFile(root, parts)
      this.#usedBytes -= here.sizeBytes
    })
  }

  /** A tensor is safe where it is pinned itself or a bundle of it is. */
  #isPinned(root: CID): boolean {
    return (
      this.#blockstore.isPinned(root) ||
      this.#blockstore.keepersOf(root).some(keeper => this.#blockstore.isPinned(keeper))
    )
  }
}

/** A temporary file that gives its share of the quota back once, whatever becomes of it. */
class CountedFile implements TemporaryFile {
  readonly #file: TemporaryFile
  #giveBack: () => void

  constructor(file: TemporaryFile, giveBack: () => void) {
    this.#file = file
    this.#giveBack = giveBack
  }

  write(bytes: Uint8Array, offsetBytes: number): Promise<void> {
    return this.#file.write(bytes, offsetBytes)
  }

  async commit(fileName: string, sizeBytes: number): Promise<void> {
    try {
      await this.#file.commit(fileName, sizeBytes)
    } finally {
      this.#release()
    }
  }

  async discard(): Promise<void> {
    this.#release()
    await this.#file.discard()
  }

  #release(): void {
    this.#giveBack()
    this.#giveBack = () => {}
  }
}
