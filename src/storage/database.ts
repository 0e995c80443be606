import { ClassicLevel } from 'classic-level'
import { BlyanError } from '../errors/index.ts'
import { putReadyInPlace, settleDatabaseFolder } from './database-folder.ts'
import { diskError } from './disk-errors.ts'
import { migrateRecords } from './migrate-records.ts'
import { openRecord, sealRecord } from './record-checksum.ts'
import { recordName } from './record-names.ts'

export type Write = { readonly key: Uint8Array; readonly value: Uint8Array | undefined }
export type Range = {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly limit?: number
  readonly reverse?: boolean
}

/**
 * The node's ordered key-value store (LevelDB). Keys and values are bytes; a batch is written whole or not at all.
 * Every record is checked when it is read: reading a damaged one throws DATABASE_RECORD_DAMAGED, which names it.
 */
export interface Database {
  readonly folder: string
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  getSync(key: Uint8Array): Uint8Array | undefined
  /** `durable` waits for the disk. Throws DISK_FULL. */
  write(writes: readonly Write[], options: { readonly durable: boolean }): Promise<void>
  range(range: Range): AsyncIterable<readonly [Uint8Array, Uint8Array]>
  /** Keys alone, without looking at values. */
  keys(range: Range): AsyncIterable<Uint8Array>
  /** Gives the disk space of what was deleted in a range back. */
  compact(range: Range): Promise<void>
  /** Called with the key of each damaged record, once. */
  onDamaged(listener: (key: Uint8Array) => void): void
  /** Puts the complete database that waits beside this one in its place (see database-folder.ts); the old one is kept aside or goes. */
  replaceWithReady(options: { readonly keepOld: boolean }): Promise<void>
  close(): Promise<void>
}

export type OpenOptions = {
  /** Many writes and few reads: while a database is built from a snapshot. */
  readonly isBulkLoad?: boolean
}

/** Throws DATABASE_DAMAGED, DATABASE_IN_USE, DISK_FULL. */
export async function openDatabase(folder: string, options: OpenOptions = {}): Promise<Database> {
  await settleDatabaseFolder(folder)
  const database = new LevelDatabase(folder, options)
  await database.open()
  return database
}

type Level = ClassicLevel<Uint8Array, Uint8Array>
const MiB = 1024 * 1024
const damagedNotedMax = 10_000

class LevelDatabase implements Database {
  readonly folder: string
  readonly #options: OpenOptions
  readonly #listeners: ((key: Uint8Array) => void)[] = []
  readonly #noted = new Set<string>()
  #level: Level
  /** While one database takes the place of another, everybody waits. */
  #swapping: Promise<void> | undefined

  constructor(folder: string, options: OpenOptions) {
    this.folder = folder
    this.#options = options
    this.#level = this.#create()
  }

  async open(): Promise<void> {
    try {
      await this.#level.open()
      await migrateRecords(this.#level)
    } catch (error) {
      await this.#level.close().catch(() => {})
      throw this.#failure(error)
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#swapping !== undefined) await this.#swapping
    let stored: Uint8Array | undefined
    try {
      stored = await this.#level.get(key)
    } catch (error) {
      if (this.#swapping === undefined) throw this.#failure(error)
      await this.#swapping
      return this.get(key)
    }
    return stored === undefined ? undefined : this.#checked(key, stored)
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    const stored = this.#level.getSync(key)
    return stored === undefined ? undefined : this.#checked(key, stored)
  }

  async write(writes: readonly Write[], options: { readonly durable: boolean }): Promise<void> {
    if (writes.length === 0) return
    if (this.#swapping !== undefined) await this.#swapping
    if (this.#noted.size > 0) for (const { key } of writes) this.#noted.delete(Buffer.from(key).toString('latin1'))
    const operations = writes.map(({ key, value }) =>
      value === undefined ? ({ type: 'del', key } as const) : ({ type: 'put', ...sealRecord(key, value) } as const)
    )
    try {
      await this.#level.batch(operations, { sync: options.durable })
    } catch (error) {
      throw this.#failure(error)
    }
  }

  async *range({ from, to, limit, reverse }: Range): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    if (this.#swapping !== undefined) await this.#swapping
    const iterator = this.#level.iterator({ gte: from, lt: to, limit: limit ?? -1, reverse: reverse ?? false })
    try {
      for await (const [key, stored] of iterator) yield [key, this.#checked(key, stored)]
    } catch (error) {
      throw this.#failure(error)
    }
  }

  async *keys({ from, to, limit, reverse }: Range): AsyncIterable<Uint8Array> {
    if (this.#swapping !== undefined) await this.#swapping
    try {
      yield* this.#level.keys({ gte: from, lt: to, limit: limit ?? -1, reverse: reverse ?? false })
    } catch (error) {
      throw this.#failure(error)
    }
  }

  async compact({ from, to }: Range): Promise<void> {
    try {
      await this.#level.compactRange(from, to)
    } catch (error) {
      throw this.#failure(error)
    }
  }

  onDamaged(listener: (key: Uint8Array) => void): void {
    this.#listeners.push(listener)
  }

  async replaceWithReady({ keepOld }: { readonly keepOld: boolean }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#swapping = promise
    try {
      // Waits for the writes that are on their way.
      await this.#level.close()
      await putReadyInPlace(this.folder, keepOld)
      this.#level = this.#create()
      this.#noted.clear()
      await this.open()
    } finally {
      this.#swapping = undefined
      resolve()
    }
  }

  async close(): Promise<void> {
    await this.#swapping
    await this.#level.close()
  }

  #create(): Level {
    return new ClassicLevel<Uint8Array, Uint8Array>(this.folder, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      writeBufferSize: this.#options.isBulkLoad === true ? 64 * MiB : 16 * MiB,
      cacheSize: 32 * MiB,
      compression: true
    })
  }

  #checked(key: Uint8Array, stored: Uint8Array): Uint8Array {
    const value = openRecord(key, stored)
    if (value !== undefined) return value
    this.#noteDamaged(key)
    throw new BlyanError('DATABASE_RECORD_DAMAGED', { folder: this.folder, record: recordName(key) })
  }

  #noteDamaged(key: Uint8Array): void {
    const text = Buffer.from(key).toString('latin1')
    if (this.#noted.has(text) || this.#noted.size >= damagedNotedMax) return
    this.#noted.add(text)
    for (const listener of this.#listeners) listener(key)
  }

  /** What went wrong, by a code. LevelDB's own are on the error or on one of its causes. */
  #failure(error: unknown): BlyanError {
    if (error instanceof BlyanError) return error
    const { folder } = this
    const code = levelCode(error)
    if (code === 'LEVEL_LOCKED') return new BlyanError('DATABASE_IN_USE', { folder }, { cause: error })
    if (code === 'LEVEL_CORRUPTION') return new BlyanError('DATABASE_DAMAGED', { folder }, { cause: error })
    return diskError(folder, error)
  }
}

function levelCode(error: unknown): string | undefined {
  for (let one = error; one instanceof Error; one = one.cause) {
    const { code } = one as { code?: unknown }
    if (code === 'LEVEL_LOCKED' || code === 'LEVEL_CORRUPTION') return code
    // Some failures of opening are told by text alone.
    if (/^Corruption:|does not exist \(create_if_missing is false\)|CURRENT file/.test(one.message))
      return 'LEVEL_CORRUPTION'
  }
  return undefined
}

const textEncoder = new TextEncoder()

/** A key: one letter that names the table, then parts; numbers are 8 bytes big-endian, so that order is numeric. */
export function tableKey(table: string, ...parts: readonly (number | Uint8Array | string)[]): Uint8Array {
  let sizeBytes = table.length
  for (const part of parts)
    sizeBytes += typeof part === 'number' ? 8 : typeof part === 'string' ? Buffer.byteLength(part) : part.length
  const key = new Uint8Array(sizeBytes)
  const view = new DataView(key.buffer)
  for (let place = 0; place < table.length; place++) key[place] = table.charCodeAt(place)
  let offset = table.length
  for (const part of parts) {
    if (typeof part === 'number') {
      if (!Number.isSafeInteger(part) || part < 0) throw new RangeError(`${part} is no place in a table`)
      view.setUint32(offset, Math.floor(part / 2 ** 32))
      view.setUint32(offset + 4, part % 2 ** 32)
      offset += 8
    } else if (typeof part === 'string') offset += textEncoder.encodeInto(part, key.subarray(offset)).written
    else {
      key.set(part, offset)
      offset += part.length
    }
  }
  return key
}

/** The range that holds every key of a table. */
export function tableRange(table: string): Range {
  return { from: tableKey(table), to: tableKey(String.fromCharCode(table.charCodeAt(0) + 1)) }
}
