import { codesFromBytes, factorSideBytes } from '../factor-codes.ts'
import { type Kernels, sharedKernels } from '../kernels/kernels.ts'
import { factorBytes, putLowRank, type RankRule, rankedBlocks, takeLowRank } from '../low-rank.ts'
import { addSparse, encodeSparse, type SparseRule, sparseBytesMax } from '../sparse-section.ts'
import type { TileLayout } from '../tile-layout.ts'
import { type DeltaCodec, deltaInvalid, type EncodedTile, requireLength, type WarmStart } from './codec.ts'

/** What a codec takes from a tile: its matrices in low rank, and the largest values of what that leaves. */
export type SparseCodecRule = { readonly rank: RankRule | null; readonly sparse: SparseRule }

/** The bytes are the factors of each ranked block in order, then the sparse section over the whole tile. */
export class SparseCodec implements DeltaCodec {
  readonly name
  readonly id
  readonly usesErrorFeedback = true
  readonly #rule: SparseCodecRule

  constructor(identity: Pick<DeltaCodec, 'name' | 'id'>, rule: SparseCodecRule) {
    this.name = identity.name
    this.id = identity.id
    this.#rule = rule
  }

  encode(delta: Float32Array, layout: TileLayout, warm?: WarmStart): EncodedTile {
    requireLength(delta, layout)
    const kernels = sharedKernels()
    putFinite(kernels, delta)
    const factors = encodeFactors(kernels, layout, this.#rule.rank, warm)
    requireFinite(kernels, layout.length)
    const sparse = encodeSparse(kernels, layout.length, this.#rule.sparse)
    const bytes = new Uint8Array(factors.bytes.length + sparse.length)
    bytes.set(factors.bytes)
    bytes.set(sparse, factors.bytes.length)
    return factors.warm.length === 0 ? { bytes } : { bytes, warm: factors.warm }
  }

  decode(bytes: Uint8Array, layout: TileLayout): Float32Array {
    if (bytes.length > this.sizeBytesMax(layout)) throw deltaInvalid(`it has ${bytes.length} bytes`)
    const kernels = sharedKernels()
    kernels.clear(layout.length)
    const start = decodeFactors(kernels, bytes, layout, this.#rule.rank)
    addSparse(kernels, bytes.subarray(start), layout.length, this.#rule.sparse)
    requireFinite(kernels, layout.length)
    return kernels.tile.slice(0, layout.length)
  }

  sizeBytesMax(layout: TileLayout): number {
    return factorsBytes(layout, this.#rule.rank) + sparseBytesMax(layout.length, this.#rule.sparse)
  }
}

/** The bytes of all factors of a tile. */
export function factorsBytes(layout: TileLayout, rule: RankRule | null): number {
  return rankedOf(layout, rule).reduce((sum, ranked) => sum + factorBytes(ranked), 0)
}

/** Leaves in the tile what the factors do not say. */
export function encodeFactors(
  kernels: Kernels,
  layout: TileLayout,
  rule: RankRule | null,
  warm: WarmStart | undefined
): { readonly bytes: Uint8Array; readonly warm: WarmStart } {
  const ranked = rankedOf(layout, rule)
  const bytes = new Uint8Array(factorsBytes(layout, rule))
  const next: Float32Array[] = []
  let offset = 0
  for (const [index, block] of ranked.entries()) {
    const end = offset + factorBytes(block)
    next.push(takeLowRank(kernels, block, warm?.[index], bytes.subarray(offset, end)))
    offset = end
  }
  return { bytes, warm: next }
}

/** Puts the products into a tile of zeros. Returns how many bytes the factors took. */
export function decodeFactors(kernels: Kernels, bytes: Uint8Array, layout: TileLayout, rule: RankRule | null): number {
  let offset = 0
  for (const ranked of rankedOf(layout, rule)) {
    const { block, rank, codeBits } = ranked
    const end = offset + factorBytes(ranked)
    if (end > bytes.length) throw deltaInvalid('its factors end too early')
    const rightAt = offset + factorSideBytes(block.rows, rank, codeBits)
    const left = codesFromBytes(bytes.subarray(offset, rightAt), block.rows, rank, codeBits)
    const right = codesFromBytes(bytes.subarray(rightAt, end), block.columns, rank, codeBits)
    putLowRank(kernels, ranked, { left, right })
    offset = end
  }
  return offset
}

export function putFinite(kernels: Kernels, delta: Float32Array): void {
  kernels.put(delta)
  requireFinite(kernels, delta.length)
}

/** Throws DELTA_INVALID: finite factors have products that are not. */
export function requireFinite(kernels: Kernels, length: number): void {
  if (!kernels.isFinite(length)) throw deltaInvalid('a value is not finite')
}

function rankedOf(layout: TileLayout, rule: RankRule | null) {
  return rule === null ? [] : rankedBlocks(layout, rule)
}
