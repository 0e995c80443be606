import { BaseBlockstore } from 'blockstore-core'
import { ClassicLevel } from 'classic-level'
import type { Blockstore, Pair } from 'interface-blockstore'
import { bytesEqual, bytesToHex, CID, digestOfCid, rawCid, sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import {
  decodePlace,
  digestOfSupportedCid,
  encodePlace,
  firstDigestIn,
  keyOf,
  type LeafPlace,
  rangeOf,
  secondDigestIn,
  tables
} from './block-keys.ts'
import {
  type Collection,
  decodeCollectionRecord,
  decodeFileRecord,
  encodeCollectionRecord,
  encodeFileRecord,
  type RegisteredFile
} from './block-records.ts'
import { codeOf, onDisk } from './disk-errors.ts'
import { createFileReader, type FileReader } from './file-reader.ts'
import { type ImmutableFiles, openImmutableFiles } from './immutable-files.ts'

/** A leaf that lies in a file: its SHA-256 and its place. */
export type ReferencedLeaf = LeafPlace & { readonly digest: Uint8Array }

export type SmallBlock = { readonly cid: CID; readonly bytes: Uint8Array }

/** A file whose bytes are the leaves of an IPFS object. */
export type ReferencedFile = RegisteredFile & {
  readonly leaves: Iterable<ReferencedLeaf>
  /** Inner nodes, kept as real blocks; the last one is the root. */
  readonly nodes: readonly SmallBlock[]
}

/** Blocks that live elsewhere in this process and are served as well, such as event envelopes. */
export type BlockSource = {
  get(cid: CID): Promise<Uint8Array | undefined>
  has(cid: CID): Promise<boolean>
}

export type BlockstoreLimits = {
  readonly blockSizeBytesMax: number
  readonly openFilesMax: number
}

export const defaultBlockstoreLimits: BlockstoreLimits = { blockSizeBytesMax: 1024 * 1024, openFilesMax: 64 }

/**
 * An IPFS blockstore that holds large files by reference: small blocks are rows of a database, leaves
 * are read from the one file they lie in. What it reads back is not hashed again: whoever asked over
 * Bitswap checks it, and the tensor store scrubs its files.
 */
export interface ReferenceBlockstore extends Blockstore {
  /** Where the files with leaves live. */
  readonly files: ImmutableFiles
  /** The bytes of a block that is here, else undefined. Never asks the network. */
  read(cid: CID): Promise<Uint8Array | undefined>
  registerFile(file: ReferencedFile): Promise<void>
  /** Removes the file and what only it needed. `leaves` and `nodes` are what it was registered with. */
  removeFile(root: CID, parts: { leaves: Iterable<Uint8Array>; nodes: Iterable<CID> }): Promise<void>
  registeredFile(root: CID): RegisteredFile | undefined
  registeredFiles(): RegisteredFile[]
  registerCollection(collection: Collection, bytes: Uint8Array): Promise<void>
  removeCollection(root: CID): Promise<void>
  collections(): Collection[]
  /** Collections that keep this object. */
  keepersOf(root: CID): CID[]
  pin(root: CID): Promise<void>
  unpin(root: CID): Promise<void>
  isPinned(root: CID): boolean
  listPins(): CID[]
  /** Serves blocks of another room too; returns how to stop doing so. */
  attachSource(source: BlockSource): () => void
  close(): Promise<void>
}

export async function openReferenceBlockstore(options: {
  blocksFolder: string
  tensorsFolder: string
  limits?: Partial<BlockstoreLimits>
}): Promise<ReferenceBlockstore> {
  const limits = { ...defaultBlockstoreLimits, ...options.limits }
  const database = new ClassicLevel<Uint8Array, Uint8Array>(options.blocksFolder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    compression: false
  })
  try {
    await database.open()
  } catch (error) {
    if (codeOf(error) === 'LEVEL_LOCKED') {
      throw new BlyanError('STORE_LOCKED', { folder: options.blocksFolder }, { cause: error })
    }
    await onDisk(options.blocksFolder, () => Promise.reject(error))
  }
  try {
    const files = await openImmutableFiles(options.tensorsFolder)
    const store = new LevelReferenceBlockstore(database, files, options.blocksFolder, limits)
    await store.load()
    return store
  } catch (error) {
    await database.close()
    throw error
  }
}

type Database = ClassicLevel<Uint8Array, Uint8Array>
type Row = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array }

/** Rows of one batch; a batch is in memory as a whole. */
const rowsPerBatch = 8192
/** Files looked at for one leaf; a row of a file that is gone is left over from a crash. */
const placesLookedAtMax = 64
const nothing = new Uint8Array()

class LevelReferenceBlockstore extends BaseBlockstore implements ReferenceBlockstore {
  readonly files: ImmutableFiles
  readonly #database: Database
  readonly #folder: string
  readonly #limits: BlockstoreLimits
  readonly #reader: FileReader
  readonly #registered = new Map<string, RegisteredFile>()
  readonly #collections = new Map<string, Collection>()
  readonly #keepers = new Map<string, Set<string>>()
  readonly #pins = new Map<string, CID>()
  readonly #sources = new Set<BlockSource>()

  constructor(database: Database, files: ImmutableFiles, folder: string, limits: BlockstoreLimits) {
    super()
    this.#database = database
    this.files = files
    this.#folder = folder
    this.#limits = limits
    this.#reader = createFileReader({ openFilesMax: limits.openFilesMax })
  }

  /** Reads the small tables into memory, so that what is here can be listed without waiting. */
  async load(): Promise<void> {
    for await (const [, value] of this.#database.iterator(rangeOf(tables.file))) {
      const file = decodeFileRecord(value)
      if (file !== undefined) this.#registered.set(nameOf(file.root), file)
    }
    for await (const [, value] of this.#database.iterator(rangeOf(tables.collection))) {
      const collection = decodeCollectionRecord(value)
      if (collection !== undefined) this.#remember(collection)
    }
    for await (const [, value] of this.#database.iterator(rangeOf(tables.pin))) {
      const cid = CID.decode(value)
      this.#pins.set(nameOf(cid), cid)
    }
  }

  override async has(cid: CID): Promise<boolean> {
    const digest = digestOfSupportedCid(cid)
    if (digest === undefined) return false
    if (await this.#database.has(keyOf(tables.block, digest))) return true
    if ((await this.#placesOf(digest)).length > 0) return true
    for (const source of this.#sources) if (await source.has(cid)) return true
    return false
  }

  override async *get(cid: CID): AsyncGenerator<Uint8Array> {
    const bytes = await this.read(cid)
    if (bytes === undefined) throw new BlyanError('BLOCK_NOT_FOUND', { cid: cid.toString() })
    yield bytes
  }

  async read(cid: CID): Promise<Uint8Array | undefined> {
    const digest = digestOfSupportedCid(cid)
    if (digest === undefined) return undefined
    const block = await this.#database.get(keyOf(tables.block, digest))
    if (block !== undefined) return new Uint8Array(block.buffer, block.byteOffset, block.byteLength)
    for (const { file, place } of await this.#placesOf(digest)) {
      const path = this.files.pathOf(file.fileName)
      const bytes = await this.#reader.read(path, place.offsetBytes, place.lengthBytes)
      if (bytes !== undefined) return bytes
    }
    for (const source of this.#sources) {
      const bytes = await source.get(cid)
      if (bytes !== undefined) return bytes
    }
    return undefined
  }

  override async put(cid: CID, value: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<CID> {
    const bytes = await this.#collect(value)
    const digest = this.#checked(cid, bytes)
    await this.#write([{ type: 'put', key: keyOf(tables.block, digest), value: bytes }])
    return cid
  }

  /** Removes a small block. Leaves stay: they are part of a file (see `removeFile`). */
  override async delete(cid: CID): Promise<void> {
    const digest = digestOfSupportedCid(cid)
    if (digest !== undefined) await this.#write([{ type: 'del', key: keyOf(tables.block, digest) }])
  }

  override async *getAll(): AsyncGenerator<Pair> {
    for await (const key of this.#database.keys(rangeOf(tables.block))) {
      const cid = rawCid(firstDigestIn(key).slice())
      yield { cid, bytes: this.get(cid) }
    }
  }

  async registerFile(file: ReferencedFile): Promise<void> {
    const root = digestOfCid(file.root)
    let rows: Row[] = []
    for (const leaf of file.leaves) {
      rows.push({ type: 'put', key: keyOf(tables.leaf, leaf.digest, root), value: encodePlace(leaf) })
      if (rows.length < rowsPerBatch) continue
      await this.#write(rows)
      rows = []
    }
    for (const node of file.nodes) {
      const digest = this.#checked(node.cid, node.bytes)
      rows.push({ type: 'put', key: keyOf(tables.block, digest), value: node.bytes })
      rows.push({ type: 'put', key: keyOf(tables.owner, digest, root), value: nothing })
    }
    rows.push({ type: 'put', key: keyOf(tables.file, root), value: encodeFileRecord(file) })
    // The file's own row comes last: without it the rows before it are not looked at.
    await this.#write(rows)
    const { fileName, sizeBytes, description } = file
    this.#registered.set(nameOf(file.root), { root: file.root, fileName, sizeBytes, description })
  }

  async removeFile(root: CID, parts: { leaves: Iterable<Uint8Array>; nodes: Iterable<CID> }): Promise<void> {
    const file = this.#registered.get(nameOf(root))
    if (file === undefined) return
    const rootDigest = digestOfCid(root)
    this.#registered.delete(nameOf(root))
    this.#reader.forget(this.files.pathOf(file.fileName))
    await this.files.remove(file.fileName)
    const rows: Row[] = [{ type: 'del', key: keyOf(tables.file, rootDigest) }]
    for (const digest of parts.leaves) rows.push({ type: 'del', key: keyOf(tables.leaf, digest, rootDigest) })
    for (const node of parts.nodes) {
      const digest = digestOfCid(node)
      const owners = await this.#secondDigests(tables.owner, digest, 2)
      rows.push({ type: 'del', key: keyOf(tables.owner, digest, rootDigest) })
      const neededElsewhere = owners.some(owner => !bytesEqual(owner, rootDigest))
      if (!neededElsewhere) rows.push({ type: 'del', key: keyOf(tables.block, digest) })
    }
    for (let start = 0; start < rows.length; start += rowsPerBatch) {
      await this.#write(rows.slice(start, start + rowsPerBatch))
    }
  }

  registeredFile(root: CID): RegisteredFile | undefined {
    return this.#registered.get(nameOf(root))
  }

  registeredFiles(): RegisteredFile[] {
    return [...this.#registered.values()]
  }

  async registerCollection(collection: Collection, bytes: Uint8Array): Promise<void> {
    const root = this.#checked(collection.root, bytes)
    await this.#write([
      { type: 'put', key: keyOf(tables.block, root), value: bytes },
      { type: 'put', key: keyOf(tables.collection, root), value: encodeCollectionRecord(collection) }
    ])
    this.#remember(collection)
  }

  async removeCollection(root: CID): Promise<void> {
    const collection = this.#collections.get(nameOf(root))
    if (collection === undefined) return
    const digest = digestOfCid(root)
    await this.#write([
      { type: 'del', key: keyOf(tables.collection, digest) },
      { type: 'del', key: keyOf(tables.block, digest) }
    ])
    this.#collections.delete(nameOf(root))
    for (const member of collection.members) {
      const keepers = this.#keepers.get(nameOf(member))
      keepers?.delete(nameOf(root))
      if (keepers?.size === 0) this.#keepers.delete(nameOf(member))
    }
  }

  collections(): Collection[] {
    return [...this.#collections.values()]
  }

  keepersOf(root: CID): CID[] {
    const names = this.#keepers.get(nameOf(root)) ?? []
    return [...names].flatMap(name => this.#collections.get(name)?.root ?? [])
  }

  async pin(root: CID): Promise<void> {
    const digest = digestOfSupportedCid(root)
    if (digest === undefined) throw new BlyanError('BLOCK_INVALID', { cid: root.toString(), reason: 'not SHA-256' })
    await this.#write([{ type: 'put', key: keyOf(tables.pin, digest), value: root.bytes }], true)
    this.#pins.set(nameOf(root), root)
  }

  async unpin(root: CID): Promise<void> {
    const digest = digestOfSupportedCid(root)
    if (digest === undefined) return
    await this.#write([{ type: 'del', key: keyOf(tables.pin, digest) }], true)
    this.#pins.delete(nameOf(root))
  }

  isPinned(root: CID): boolean {
    return this.#pins.has(nameOf(root))
  }

  listPins(): CID[] {
    return [...this.#pins.values()]
  }

  attachSource(source: BlockSource): () => void {
    this.#sources.add(source)
    return () => {
      this.#sources.delete(source)
    }
  }

  async close(): Promise<void> {
    await this.#reader.close()
    await onDisk(this.#folder, () => this.#database.close())
  }

  #remember(collection: Collection): void {
    const name = nameOf(collection.root)
    this.#collections.set(name, collection)
    for (const member of collection.members) {
      const keepers = this.#keepers.get(nameOf(member)) ?? new Set()
      keepers.add(name)
      this.#keepers.set(nameOf(member), keepers)
    }
  }

  async #placesOf(digest: Uint8Array): Promise<{ file: RegisteredFile; place: LeafPlace }[]> {
    const range = { ...rangeOf(tables.leaf, digest), limit: placesLookedAtMax }
    const rows = await this.#database.iterator(range).all()
    return rows.flatMap(([key, value]) => {
      const file = this.#registered.get(bytesToHex(secondDigestIn(key)))
      const place = decodePlace(value)
      return file === undefined || place === undefined ? [] : [{ file, place }]
    })
  }

  async #secondDigests(table: number, first: Uint8Array, limit: number): Promise<Uint8Array[]> {
    const keys = await this.#database.keys({ ...rangeOf(table, first), limit }).all()
    return keys.map(secondDigestIn)
  }

  async #collect(value: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    if (value instanceof Uint8Array) return value
    const parts: Uint8Array[] = []
    let sizeBytes = 0
    for await (const part of value) {
      sizeBytes += part.length
      if (sizeBytes > this.#limits.blockSizeBytesMax) throw this.#tooLarge(sizeBytes)
      parts.push(part)
    }
    return new Uint8Array(Buffer.concat(parts))
  }

  #checked(cid: CID, bytes: Uint8Array): Uint8Array {
    if (bytes.length > this.#limits.blockSizeBytesMax) throw this.#tooLarge(bytes.length)
    const digest = digestOfSupportedCid(cid)
    if (digest !== undefined && bytesEqual(sha256(bytes), digest)) return digest
    throw new BlyanError('BLOCK_INVALID', { cid: cid.toString(), reason: 'its bytes do not have that SHA-256' })
  }

  #tooLarge(sizeBytes: number): BlyanError {
    return new BlyanError('BLOCK_TOO_LARGE', { sizeBytes, limitBytes: this.#limits.blockSizeBytesMax })
  }

  async #write(rows: Row[], durable = false): Promise<void> {
    await onDisk(this.#folder, () => this.#database.batch(rows, { sync: durable }))
  }
}

function nameOf(cid: CID): string {
  return bytesToHex(digestOfCid(cid))
}
