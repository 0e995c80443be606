import {
  type CodeBits,
  codesToBytes,
  factorSideBytes,
  type ScaledCodes,
  scaleColumns,
  unscaleColumns
} from './factor-codes.ts'
import type { Kernels } from './kernels/kernels.ts'
import type { MatrixBlock, TileLayout } from './tile-layout.ts'

/**
 * Low rank as PowerSGD has it: one pass of power iteration a round, begun where the last round ended, so that it follows the
 * main directions of a matrix instead of computing them anew.
 * Source: docs/design.md, "Deltas".
 */
export type RankedBlock = { readonly block: MatrixBlock; readonly rank: number; readonly codeBits: CodeBits }

/** One rank for each `sidePerRank` rows or columns of the shorter side, at least 1 and at most `rankMax`; none below `sideMin`. */
export type RankRule = { readonly rankMax: number; readonly sidePerRank: number; readonly codeBits: CodeBits }

/** Below it a factor takes about as much as it saves. */
const sideMin = 16

export function rankedBlocks(
  { blocks }: TileLayout,
  { rankMax, sidePerRank, codeBits }: RankRule
): readonly RankedBlock[] {
  return blocks
    .filter(({ rows, columns }) => Math.min(rows, columns) >= sideMin)
    .map(block => {
      const share = Math.floor(Math.min(block.rows, block.columns) / sidePerRank)
      return { block, rank: Math.min(rankMax, Math.max(1, share)), codeBits }
    })
}

/** The left factor (one row for each row of the block), then the right one (one for each column). */
export function factorBytes({ block: { rows, columns }, rank, codeBits }: RankedBlock): number {
  return factorSideBytes(rows, rank, codeBits) + factorSideBytes(columns, rank, codeBits)
}

const coldPasses = 2

/**
 * Approximates a block of the tile in `kernels`, takes the approximation from it, and writes the factors to `bytes`. Returns
 * the warm start of the next round.
 */
export function takeLowRank(
  kernels: Kernels,
  { block, rank, codeBits }: RankedBlock,
  warm: Float32Array | undefined,
  bytes: Uint8Array
): Float32Array {
  const isWarm = warm?.length === block.columns * rank && warm.every(Number.isFinite)
  let right: Float32Array = isWarm ? unitColumns(warm, rank) : firstRight(block.columns, rank)
  let left: Float32Array = new Float32Array()
  for (let pass = isWarm ? 1 : coldPasses; pass > 0; pass--) {
    left = orthonormal(kernels.multiply(block, rank, right), rank)
    if (pass > 1) right = unitColumns(kernels.multiplyTransposed(block, rank, left), rank)
  }
  const leftCodes = scaleColumns(left, rank, codeBits)
  const leftRead = unscaleColumns(leftCodes)
  right = kernels.multiplyTransposed(block, rank, leftRead)
  const rightCodes = scaleColumns(right, rank, codeBits)
  kernels.applyProduct(block, rank, { left: leftRead, right: unscaleColumns(rightCodes) }, 'subtract')
  const rightAt = factorSideBytes(block.rows, rank, codeBits)
  codesToBytes(leftCodes, codeBits, bytes.subarray(0, rightAt))
  codesToBytes(rightCodes, codeBits, bytes.subarray(rightAt))
  return right
}

/** Puts the product of factors in place of a block of the tile. */
export function putLowRank(
  kernels: Kernels,
  { block, rank }: RankedBlock,
  factors: { readonly left: ScaledCodes; readonly right: ScaledCodes }
): void {
  const left = unscaleColumns(factors.left)
  kernels.applyProduct(block, rank, { left, right: unscaleColumns(factors.right) }, 'set')
}

/** Modified Gram-Schmidt in doubles, column by column. A column that is nothing beside those before it becomes zero. */
function orthonormal(factor: Float32Array, rank: number): Float32Array<ArrayBuffer> {
  const rows = factor.length / rank
  const columns = Array.from({ length: rank }, (_, column) =>
    Float64Array.from({ length: rows }, (_, row) => factor[row * rank + column]!)
  )
  const result = new Float32Array(factor.length)
  for (const [place, column] of columns.entries()) {
    const before = dot(column, column)
    for (const other of columns.slice(0, place)) {
      const share = dot(column, other)
      for (let row = 0; row < rows; row++) column[row]! -= share * other[row]!
    }
    const squares = dot(column, column)
    const scale = squares > before * 1e-12 && squares > 0 ? 1 / Math.sqrt(squares) : 0
    for (let row = 0; row < rows; row++) {
      column[row]! *= scale
      result[row * rank + place] = column[row]!
    }
  }
  return result
}

function dot(first: Float64Array, second: Float64Array): number {
  let sum = 0
  for (let at = 0; at < first.length; at++) sum += first[at]! * second[at]!
  return sum
}

/**
 * Only directions count: columns are scaled to a largest value of 1, so that products stay in the range of fp32 whatever the size
 * of the deltas. A direction that vanished once would stay away for ever, so it begins anew.
 */
function unitColumns(right: Float32Array, rank: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(right.length)
  for (let column = 0; column < rank; column++) {
    let largest = 0
    for (let at = column; at < right.length; at += rank) largest = Math.max(largest, Math.abs(right[at]!))
    const isEmpty = largest === 0
    for (let at = column; at < right.length; at += rank) result[at] = isEmpty ? startValue(at) : right[at]! / largest
  }
  return result
}

/** Any directions do, as long as they are the same everywhere: a Weyl sequence, mixed. */
function firstRight(columns: number, rank: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: columns * rank }, (_, at) => startValue(at))
}

function startValue(at: number): number {
  let bits = Math.imul(at + 1, 0x9e3779b9)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return ((bits ^ (bits >>> 16)) | 0) / 2 ** 31
}
