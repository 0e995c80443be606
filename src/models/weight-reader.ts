import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { BlyanError } from '../errors/index.ts'
import type { TensorPlace } from './checkpoint-files.ts'
import type { SourceRows } from './part-sources.ts'
import { type Singles, singlesOf, weightSizeBytes, widen } from './weights.ts'

/** What is read at once, unless a single row is longer. */
const blockSizeBytes = 2 * 1024 * 1024
const filesOpenMax = 16

/** Rows of a matrix as fp32, valid until the next ones are asked for. */
export type RowBlock = {
  readonly floats: Float32Array
  readonly first: number
  readonly count: number
  /** Largest absolute value of each row. */
  readonly largest: Float64Array
}

/** Reads weights block by block into the same memory. Blocks the thread it runs in. */
export interface WeightReader {
  /** Throws CHECKPOINT_VALUE_INVALID for values that are not finite, CHECKPOINT_UNREADABLE where the file ends early. */
  rows(source: SourceRows, first: number, count: number): Generator<RowBlock>
  close(): void
}

export function createWeightReader(folder: string): WeightReader {
  return new FolderWeightReader(folder)
}

class FolderWeightReader implements WeightReader {
  readonly #folder: string
  /** Names of files and their descriptors, in the order of use. */
  readonly #open = new Map<string, number>()
  #bytes = new ArrayBuffer(0)
  #singles: Singles = singlesOf(0)
  #largest = new Float64Array(0)

  constructor(folder: string) {
    this.#folder = folder
  }

  *rows(source: SourceRows, first: number, count: number): Generator<RowBlock> {
    const { place, columns } = source
    const rowSizeBytes = columns * weightSizeBytes[place.type]
    // Whole fours, so that four rows at a time can be turned.
    const blockRows = Math.max(4, Math.floor(blockSizeBytes / rowSizeBytes / 4) * 4)
    this.#makeRoom(Math.min(blockRows, count), columns, rowSizeBytes)
    for (let done = 0; done < count; done += blockRows) {
      const rows = Math.min(blockRows, count - done)
      const offsetBytes = place.offsetBytes + (source.firstRow + first + done) * rowSizeBytes
      this.#read(place, offsetBytes, rows * rowSizeBytes)
      this.#widenRows(place, rows, columns)
      yield { floats: this.#singles.floats, first: first + done, count: rows, largest: this.#largest }
    }
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor)
    this.#open.clear()
  }

  #makeRoom(rows: number, columns: number, rowSizeBytes: number): void {
    if (this.#bytes.byteLength < rows * rowSizeBytes)
      this.#bytes = new ArrayBuffer(Math.ceil((rows * rowSizeBytes) / 4) * 4)
    if (this.#singles.floats.length < rows * columns) this.#singles = singlesOf(rows * columns)
    if (this.#largest.length < rows) this.#largest = new Float64Array(rows)
  }

  #read(place: TensorPlace, offsetBytes: number, lengthBytes: number): void {
    const target = new Uint8Array(this.#bytes, 0, lengthBytes)
    const descriptor = this.#descriptorOf(place.file)
    for (let done = 0; done < lengthBytes; ) {
      const read = readSync(descriptor, target, done, lengthBytes - done, offsetBytes + done)
      if (read === 0) throw this.#unreadable(place.file, 'it ended while it was read')
      done += read
    }
  }

  #widenRows(place: TensorPlace, rows: number, columns: number): void {
    const from = place.type === 'fp32' ? new Int32Array(this.#bytes) : new Uint16Array(this.#bytes)
    for (let row = 0; row < rows; row++) {
      const largest = widen(place.type, from, row * columns, columns, this.#singles, row * columns)
      if (Number.isNaN(largest))
        throw new BlyanError('CHECKPOINT_VALUE_INVALID', { tensor: place.name, file: place.file })
      this.#largest[row] = largest
    }
  }

  #descriptorOf(file: string): number {
    const known = this.#open.get(file)
    if (known !== undefined) return known
    if (this.#open.size >= filesOpenMax) {
      const [oldest, descriptor] = this.#open.entries().next().value!
      closeSync(descriptor)
      this.#open.delete(oldest)
    }
    try {
      const descriptor = openSync(join(this.#folder, file), 'r')
      this.#open.set(file, descriptor)
      return descriptor
    } catch (error) {
      throw this.#unreadable(file, (error as Error).message)
    }
  }

  #unreadable(file: string, reason: string): BlyanError {
    return new BlyanError('CHECKPOINT_UNREADABLE', { path: join(this.#folder, file), reason })
  }
}
