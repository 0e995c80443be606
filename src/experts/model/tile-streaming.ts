import { BlyanError } from '../../errors/index.ts'
import { cutsOf, type MatrixCut, type PartDescription, type PartSlice } from './part-layout.ts'
import { type RoundedRows, roundRows } from './row-rounding.ts'

/** Where the data of a part is read from, piece by piece. */
export interface TileSource {
  /** What it holds for itself while it reads. */
  readonly scratchBytes: number
  /** Fills `into` with the data from `offsetBytes` on. Throws when there is less. */
  read(offsetBytes: number, into: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** The arithmetic, with weights that are given and not kept. Results are new arrays. */
export interface TileKernel {
  /** x [rows, inputs] times weights [outputs, inputs] -> [rows, outputs] */
  outIn(x: Float32Array, weights: Float32Array, inputs: number): Promise<Float32Array>
  /** x [rows, inputs] times weights [inputs, outputs] -> [rows, outputs] */
  inOut(x: Float32Array, weights: Float32Array, inputs: number): Promise<Float32Array>
  /** The same in integers, x less its zero point of 64. */
  integers(x: Uint8Array, weights: Int8Array, inputs: number): Promise<Int32Array>
  /** silu(gated) * raised */
  activate(gated: Float32Array, raised: Float32Array): Promise<Float32Array>
}

export interface ExpertStreamer {
  /** `tokens` [N, width] -> a new [N, width]. Calls wait for each other. */
  run(tokens: Float32Array): Promise<Float32Array>
  /** The most it has held of weights and rows at once, results for the caller not counted. */
  readonly heldBytesMax: number
  close(): Promise<void>
}

export type ExpertStreamerNeeds = {
  readonly part: Pick<PartDescription, 'name' | 'slices' | 'dataLengthBytes'>
  readonly width: number
  readonly source: TileSource
  readonly kernel: TileKernel
  readonly memoryBytesMax: number
}

/**
 * Computes an expert whose weights do not fit the memory it is given: rows of its matrices are read one tile after the other, each
 * multiplied while the next is read into a second buffer. Throws EXPERT_MEMORY_TOO_SMALL when not even single rows fit.
 */
export function createExpertStreamer(needs: ExpertStreamerNeeds): ExpertStreamer {
  return new TwoBufferStreamer(needs)
}

/** Whole rows of a matrix as it is stored. */
type Tile = {
  readonly matrix: string
  readonly cut: MatrixCut
  /** Outputs of the matrix before this cut. */
  readonly cutStart: number
  readonly firstRow: number
  readonly rows: number
  readonly isLast: boolean
}

/** A matrix while it is multiplied. */
type Product = {
  readonly input: Float32Array
  readonly inputs: number
  readonly rounded: RoundedRows | null
  readonly outputs: number
  readonly result: Float32Array
  sums: Int32Array | null
}

class TwoBufferStreamer implements ExpertStreamer {
  heldBytesMax = 0
  readonly #needs: ExpertStreamerNeeds
  readonly #inner: number
  readonly #rowsMax: number
  readonly #tiles: readonly Tile[]
  readonly #tileBytes: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(needs: ExpertStreamerNeeds) {
    this.#needs = needs
    this.#inner = outputsOf(needs.part, 'gate')
    const { rowsMax, tileBytes } = shareMemory(needs, this.#inner)
    this.#rowsMax = rowsMax
    this.#tiles = tilesOf(needs.part, tileBytes)
    this.#tileBytes = tileBytes
  }

  run(tokens: Float32Array): Promise<Float32Array> {
    const result = this.#last.then(() => this.#runAll(tokens))
    this.#last = result.catch(() => {})
    return result
  }

  async close(): Promise<void> {
    await this.#last
    await this.#needs.source.close()
  }

  async #runAll(tokens: Float32Array): Promise<Float32Array> {
    const { width } = this.#needs
    const results = new Float32Array(tokens.length)
    // Held only while something runs: many experts may be open.
    const buffers = [new Uint8Array(this.#tileBytes), new Uint8Array(this.#tileBytes)]
    for (let first = 0; first < tokens.length; first += this.#rowsMax * width) {
      const own = tokens.subarray(first, first + this.#rowsMax * width)
      results.set(await this.#runRows(own, own.length / width, buffers), first)
    }
    return results
  }

  async #runRows(tokens: Float32Array, rows: number, buffers: readonly Uint8Array[]): Promise<Float32Array> {
    const { part, width, kernel } = this.#needs
    const products = new Map<string, Product>()
    for await (const { tile, bytes } of this.#read(buffers)) {
      if (!products.has(tile.matrix)) {
        const isDown = tile.matrix === 'down'
        const input = isDown ? await kernel.activate(resultOf(products, 'gate'), resultOf(products, 'up')) : tokens
        // What went into the inner rows is not needed again.
        if (isDown) for (const name of ['gate', 'up']) products.delete(name)
        products.set(tile.matrix, startProduct(part, tile.matrix, input, isDown ? this.#inner : width, rows))
        this.#note(products)
      }
      await this.#multiply(products.get(tile.matrix)!, tile, bytes, rows)
    }
    const result = resultOf(products, 'down')
    const opening = products.get('sharedGate')?.result
    return opening === undefined ? result : result.map((x, i) => x / (1 + Math.exp(-opening[Math.floor(i / width)]!)))
  }

  /** The tiles in order; the bytes are good until the next is asked for. */
  async *#read(buffers: readonly Uint8Array[]): AsyncGenerator<{ tile: Tile; bytes: Uint8Array }> {
    const read = async (index: number): Promise<Uint8Array> => {
      const { cut, firstRow, rows } = this.#tiles[index]!
      const bytes = buffers[index % 2]!.subarray(0, rows * rowBytes(cut.matrix))
      await this.#needs.source.read(cut.matrix.offsetBytes + firstRow * rowBytes(cut.matrix), bytes)
      return bytes
    }
    let next: Promise<Uint8Array> | undefined = read(0)
    try {
      for (const [index, tile] of this.#tiles.entries()) {
        const bytes = await next!
        next = index + 1 < this.#tiles.length ? read(index + 1) : undefined
        // Whether it failed is asked when its turn comes.
        next?.catch(() => {})
        yield { tile, bytes }
      }
    } finally {
      await next?.catch(() => {})
    }
  }

  async #multiply(product: Product, tile: Tile, bytes: Uint8Array, rows: number): Promise<void> {
    const { matrix, scales } = tile.cut
    const { kernel } = this.#needs
    if (scales !== null) return this.#multiplyIntegers(product, tile, bytes, rows)
    const weights = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    if (matrix.orientation === 'outIn') {
      const piece = await kernel.outIn(product.input, weights, product.inputs)
      placeColumns(product.result, product.outputs, tile.cutStart + tile.firstRow, piece, tile.rows)
    } else {
      const own = takeColumns(product.input, product.inputs, tile.firstRow, tile.rows)
      const piece = await kernel.inOut(own, weights, tile.rows)
      for (let i = 0; i < piece.length; i++) product.result[i]! += piece[i]!
    }
  }

  async #multiplyIntegers(product: Product, tile: Tile, bytes: Uint8Array, rows: number): Promise<void> {
    const { matrix, scales } = tile.cut
    const outputs = matrix.shape[1]!
    const rounded = product.rounded!
    product.sums ??= new Int32Array(rows * outputs)
    const own = takeColumns(rounded.values, product.inputs, tile.firstRow, tile.rows)
    const weights = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    const piece = await this.#needs.kernel.integers(own, weights, tile.rows)
    for (let i = 0; i < piece.length; i++) product.sums[i]! += piece[i]!
    if (!tile.isLast) return
    const steps = new Float32Array(outputs)
    await this.#needs.source.read(scales!.offsetBytes, new Uint8Array(steps.buffer))
    const scaled = Float32Array.from(product.sums, (sum, i) => {
      return Math.fround(Math.fround(sum) * steps[i % outputs]!) * rounded.steps[Math.floor(i / outputs)]!
    })
    placeColumns(product.result, product.outputs, tile.cutStart, scaled, outputs)
    product.sums = null
  }

  #note(products: ReadonlyMap<string, Product>): void {
    let held = 2 * this.#tileBytes + this.#needs.source.scratchBytes
    for (const { input, rounded, result, outputs } of products.values()) {
      // Sums and their scaled values are at most as large as the result, and so is a tile's product.
      held += result.byteLength * 3 + (rounded?.values.length ?? 0) + 4 * outputs
      if (products.size === 1 || products.has('down')) held += input.byteLength
    }
    this.heldBytesMax = Math.max(this.heldBytesMax, held)
  }
}

/** Larger tiles would only wait longer for each other. */
const tileBytesMax = 16 * 1024 * 1024

const matrixNames = ['gate', 'up', 'sharedGate', 'down']

/** Half of the memory at most for rows, the rest in two halves for tiles. */
function shareMemory(
  { part, width, source, memoryBytesMax }: ExpertStreamerNeeds,
  inner: number
): { readonly rowsMax: number; readonly tileBytes: number } {
  const wider = Math.max(width, inner)
  const bytesOfRow = 4 * (2 * width + 4 * inner + 4 * wider) + wider
  const fixedBytes = source.scratchBytes + 4 * wider
  const rowsMax = Math.max(1, Math.floor((memoryBytesMax - fixedBytes) / 2 / bytesOfRow))
  const freeBytes = memoryBytesMax - fixedBytes - rowsMax * bytesOfRow
  const tileBytes = Math.min(tileBytesMax, Math.floor(freeBytes / 8) * 4)
  const longest = matrixNames.flatMap(name => matricesOf(part, name)).map(({ matrix }) => rowBytes(matrix))
  const leastBytes = fixedBytes + bytesOfRow + 2 * Math.max(...longest)
  if (tileBytes < Math.max(...longest)) {
    throw new BlyanError('EXPERT_MEMORY_TOO_SMALL', { part: part.name, memoryBytesMax, leastBytes })
  }
  return { rowsMax, tileBytes }
}

function tilesOf(part: ExpertStreamerNeeds['part'], tileBytes: number): readonly Tile[] {
  const tiles: Tile[] = []
  for (const name of matrixNames) {
    let cutStart = 0
    for (const cut of matricesOf(part, name)) {
      const rowsInAll = cut.matrix.shape[0]!
      const rowsMax = Math.floor(tileBytes / rowBytes(cut.matrix))
      for (let firstRow = 0; firstRow < rowsInAll; firstRow += rowsMax) {
        const rows = Math.min(rowsMax, rowsInAll - firstRow)
        tiles.push({ matrix: name, cut, cutStart, firstRow, rows, isLast: firstRow + rows === rowsInAll })
      }
      cutStart += outputsIn(cut.matrix)
    }
  }
  return tiles
}

function startProduct(
  part: ExpertStreamerNeeds['part'],
  name: string,
  input: Float32Array,
  inputs: number,
  rows: number
): Product {
  const outputs = outputsOf(part, name)
  const isRounded = matricesOf(part, name)[0]!.scales !== null
  const rounded = isRounded ? roundRows(input, inputs) : null
  return { input, inputs, rounded, outputs, result: new Float32Array(rows * outputs), sums: null }
}

function resultOf(products: ReadonlyMap<string, Product>, name: string): Float32Array {
  return products.get(name)!.result
}

/** Cuts of a matrix; none of a shared gate where there is none. */
function matricesOf(part: ExpertStreamerNeeds['part'], name: string): readonly MatrixCut[] {
  if (name === 'sharedGate' && !part.slices.some(slice => slice.name === name)) return []
  return cutsOf(part, name)
}

function outputsOf(part: ExpertStreamerNeeds['part'], name: string): number {
  return matricesOf(part, name).reduce((sum, { matrix }) => sum + outputsIn(matrix), 0)
}

function outputsIn(matrix: PartSlice): number {
  return matrix.shape[matrix.orientation === 'outIn' ? 0 : 1]!
}

function rowBytes(matrix: PartSlice): number {
  return (matrix.dtype === 'fp32' ? 4 : 1) * matrix.shape[1]!
}

/** Columns `first` to `first + count` of rows of `width`. */
function takeColumns<Values extends Float32Array | Uint8Array>(
  rows: Values,
  width: number,
  first: number,
  count: number
): Values {
  const height = rows.length / width
  const taken = rows.slice(0, height * count) as Values
  for (let row = 0; row < height; row++) {
    taken.set(rows.subarray(row * width + first, row * width + first + count), row * count)
  }
  return taken
}

/** Writes `piece` [rows, count] into columns `first` to `first + count` of rows of `width`. */
function placeColumns(rows: Float32Array, width: number, first: number, piece: Float32Array, count: number): void {
  for (let row = 0; row < piece.length / count; row++) {
    rows.set(piece.subarray(row * count, (row + 1) * count), row * width + first)
  }
}
