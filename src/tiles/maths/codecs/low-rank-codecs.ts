import { keptOf } from '../chunks.ts'
import { sharedKernels } from '../kernels/kernels.ts'
import { type RankRule, rankedBlocks } from '../low-rank.ts'
import { type BlockRule, decodeScaled, encodeScaled, scaledBytes } from '../scaled-blocks.ts'
import type { MatrixBlock, TileLayout } from '../tile-layout.ts'
import { type DeltaCodec, deltaInvalid, type EncodedTile, requireLength, type WarmStart } from './codec.ts'
import { decodeFactors, encodeFactors, factorsBytes, putFinite, requireFinite } from './sparse-codecs.ts'

const restRule: BlockRule = { codeBits: 8, blockElements: 256 }
const seedKept = 820
const seedChunkElements = 4096

/** Matrices in low rank and nothing else of them; all other values in int8. The bytes are the factors, then the rest. */
export class LowRankCodec implements DeltaCodec {
  readonly name
  readonly id
  readonly usesErrorFeedback = true
  readonly #rank: RankRule
  readonly #prepare: (delta: Float32Array) => Float32Array

  constructor(
    identity: Pick<DeltaCodec, 'name' | 'id'>,
    rank: RankRule,
    prepare: (delta: Float32Array) => Float32Array = delta => delta
  ) {
    this.name = identity.name
    this.id = identity.id
    this.#rank = rank
    this.#prepare = prepare
  }

  encode(delta: Float32Array, layout: TileLayout, warm?: WarmStart): EncodedTile {
    requireLength(delta, layout)
    const prepared = this.#prepare(delta)
    const kernels = sharedKernels()
    putFinite(kernels, prepared)
    const factors = encodeFactors(kernels, layout, this.#rank, warm)
    const rest = encodeScaled(gather(prepared, this.#otherBlocks(layout)), restRule)
    const bytes = new Uint8Array(factors.bytes.length + rest.length)
    bytes.set(factors.bytes)
    bytes.set(rest, factors.bytes.length)
    return factors.warm.length === 0 ? { bytes } : { bytes, warm: factors.warm }
  }

  decode(bytes: Uint8Array, layout: TileLayout): Float32Array {
    if (bytes.length !== this.sizeBytesMax(layout)) throw deltaInvalid(`it has ${bytes.length} bytes`)
    const kernels = sharedKernels()
    kernels.clear(layout.length)
    const start = decodeFactors(kernels, bytes, layout, this.#rank)
    const blocks = this.#otherBlocks(layout)
    const rest = decodeScaled(bytes.subarray(start), elementsOf(blocks), restRule)
    let from = 0
    for (const { offset, rows, columns } of blocks) {
      kernels.tile.set(rest.subarray(from, from + rows * columns), offset)
      from += rows * columns
    }
    requireFinite(kernels, layout.length)
    return kernels.tile.slice(0, layout.length)
  }

  sizeBytesMax(layout: TileLayout): number {
    return factorsBytes(layout, this.#rank) + scaledBytes(elementsOf(this.#otherBlocks(layout)), restRule)
  }

  #otherBlocks(layout: TileLayout): readonly MatrixBlock[] {
    const ranked = new Set(rankedBlocks(layout, this.#rank).map(({ block }) => block))
    return layout.blocks.filter(block => !ranked.has(block))
  }
}

/** What the seed does first: int8, then only the largest fifth. Low rank comes after, and rounds all of it again. */
export function seedOrder(delta: Float32Array): Float32Array {
  const rounded = decodeScaled(encodeScaled(delta, restRule), delta.length, restRule)
  const kernels = sharedKernels()
  kernels.put(rounded)
  const kept = new Float32Array(rounded.length)
  for (let start = 0; start < rounded.length; start += seedChunkElements) {
    const elements = Math.min(seedChunkElements, rounded.length - start)
    for (const place of kernels.select(start, elements, keptOf(seedKept, elements))) {
      kept[start + place] = rounded[start + place]!
    }
  }
  return kept
}

function gather(values: Float32Array, blocks: readonly MatrixBlock[]): Float32Array {
  const gathered = new Float32Array(elementsOf(blocks))
  let to = 0
  for (const { offset, rows, columns } of blocks) {
    gathered.set(values.subarray(offset, offset + rows * columns), to)
    to += rows * columns
  }
  return gathered
}

function elementsOf(blocks: readonly MatrixBlock[]): number {
  return blocks.reduce((sum, { rows, columns }) => sum + rows * columns, 0)
}
