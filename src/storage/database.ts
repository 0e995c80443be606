import { ClassicLevel } from 'classic-level'
import { BlyanError } from '../errors/index.ts'
import { diskError } from './disk-errors.ts'

export type Write = { readonly key: Uint8Array; readonly value: Uint8Array | undefined }
export type Range = {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly limit?: number
  readonly reverse?: boolean
}

/** The node's ordered key-value store (LevelDB). Keys and values are bytes; a batch is written whole or not at all. */
export interface Database {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  getSync(key: Uint8Array): Uint8Array | undefined
  /** `durable` waits for the disk. Throws DISK_FULL. */
  write(writes: readonly Write[], options: { readonly durable: boolean }): Promise<void>
  range(range: Range): AsyncIterable<readonly [Uint8Array, Uint8Array]>
  close(): Promise<void>
}

/** Throws DATABASE_DAMAGED, DATABASE_IN_USE, DISK_FULL. */
export async function openDatabase(folder: string): Promise<Database> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: 16 * 1024 * 1024,
    cacheSize: 32 * 1024 * 1024,
    compression: true
  })
  try {
    await level.open()
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause
    if (cause?.code === 'LEVEL_LOCKED') throw new BlyanError('DATABASE_IN_USE', { folder }, { cause: error })
    if (cause?.code === 'LEVEL_CORRUPTION') throw new BlyanError('DATABASE_DAMAGED', { folder }, { cause: error })
    throw diskError(folder, error)
  }
  return new LevelDatabase(level, folder)
}

class LevelDatabase implements Database {
  readonly #level: ClassicLevel<Uint8Array, Uint8Array>
  readonly #folder: string

  constructor(level: ClassicLevel<Uint8Array, Uint8Array>, folder: string) {
    this.#level = level
    this.#folder = folder
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#level.get(key)
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#level.getSync(key)
  }

  async write(writes: readonly Write[], options: { readonly durable: boolean }): Promise<void> {
    if (writes.length === 0) return
    const operations = writes.map(({ key, value }) =>
      value === undefined ? ({ type: 'del', key } as const) : ({ type: 'put', key, value } as const)
    )
    try {
      await this.#level.batch(operations, { sync: options.durable })
    } catch (error) {
      throw diskError(this.#folder, error)
    }
  }

  async *range({ from, to, limit, reverse }: Range): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    yield* this.#level.iterator({ gte: from, lt: to, limit: limit ?? -1, reverse: reverse ?? false })
  }

  close(): Promise<void> {
    return this.#level.close()
  }
}

/** A key: one letter that names the table, then parts; numbers are 8 bytes big-endian, so that order is numeric. */
export function tableKey(table: string, ...parts: readonly (number | Uint8Array | string)[]): Uint8Array {
  const pieces = parts.map(part => {
    if (typeof part === 'number') {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64BE(BigInt(part))
      return bytes
    }
    return typeof part === 'string' ? Buffer.from(part) : part
  })
  return new Uint8Array(Buffer.concat([Buffer.from(table, 'latin1'), ...pieces]))
}

/** The range that holds every key of a table. */
export function tableRange(table: string): Range {
  return { from: tableKey(table), to: tableKey(String.fromCharCode(table.charCodeAt(0) + 1)) }
}
