/**
 * How the values of a part lie in tiles, and which matrices are in each tile: a codec that approximates matrices has to see
 * a tile as the matrix it is, not as a row of numbers.
 * Source: docs/protocol.md, "Deltas".
 */

/** A matrix, row by row; a vector has one column. */
export type MatrixBlock = {
  /** Elements from the beginning of the tile. */
  readonly offset: number
  readonly rows: number
  readonly columns: number
}

/** The blocks follow each other without a gap from the first element to the last. */
export type TileLayout = { readonly length: number; readonly blocks: readonly MatrixBlock[] }

/** 4 MiB of fp32. */
export const tileElements = 1_048_576

/** Deltas of larger parts (16 GiB) are refused. */
const partElementsMax = 2 ** 32

/**
 * The tiles of a part of `length` elements whose matrices are `slices`, in any order. What no slice covers is a vector; a
 * matrix that a tile's border cuts is whole rows on both sides, and the row that is cut is two vectors.
 * Throws RangeError: sizes come from an architecture, not from strangers.
 */
export function tileLayouts(
  slices: readonly { readonly rows: number; readonly columns: number; readonly offset: number }[],
  length: number
): readonly TileLayout[] {
  requireSize(length, 'the length of a part', partElementsMax)
  const layouts: { length: number; blocks: MatrixBlock[] }[] = []
  for (let start = 0; start < length; start += tileElements) {
    layouts.push({ length: Math.min(tileElements, length - start), blocks: [] })
  }
  let covered = 0
  const add = (offset: number, rows: number, columns: number): void => {
    const tile = Math.floor(offset / tileElements)
    layouts[tile]!.blocks.push({ offset: offset - tile * tileElements, rows, columns })
    covered = offset + rows * columns
  }
  for (const slice of slices.toSorted((first, second) => first.offset - second.offset)) {
    requireSize(slice.rows, 'rows', partElementsMax)
    requireSize(slice.columns, 'columns', partElementsMax)
    const end = slice.offset + slice.rows * slice.columns
    if (slice.offset < covered || end > length) throw new RangeError('slices of a part overlap or do not fit in it')
    addVector(covered, slice.offset, add)
    addMatrix(slice.offset, slice.rows, slice.columns, add)
  }
  addVector(covered, length, add)
  return layouts
}

/** All elements as one vector a tile: for parts nothing more is known of. */
export function flatLayouts(length: number): readonly TileLayout[] {
  return tileLayouts([], length)
}

/** Throws RangeError unless the blocks cover the tile as the type says. */
export function requireLayout({ length, blocks }: TileLayout): void {
  requireSize(length, 'the length of a tile', tileElements)
  let covered = 0
  for (const { offset, rows, columns } of blocks) {
    if (offset !== covered) throw new RangeError('the blocks of a tile leave a gap or overlap')
    requireSize(rows, 'rows', tileElements)
    requireSize(columns, 'columns', tileElements)
    covered += rows * columns
  }
  if (covered !== length) throw new RangeError('the blocks of a tile do not cover it')
}

type Add = (offset: number, rows: number, columns: number) => void

function addVector(from: number, to: number, add: Add): void {
  for (let offset = from; offset < to; ) {
    const end = Math.min(to, borderAfter(offset))
    add(offset, end - offset, 1)
    offset = end
  }
}

function addMatrix(from: number, rows: number, columns: number, add: Add): void {
  if (columns === 1) {
    addVector(from, from + rows, add)
    return
  }
  const end = from + rows * columns
  for (let offset = from; offset < end; ) {
    const border = Math.min(end, borderAfter(offset))
    const wholeRows = Math.floor((border - offset) / columns)
    const inRow = (offset - from) % columns
    if (inRow > 0) {
      const rowEnd = Math.min(border, offset + columns - inRow)
      addVector(offset, rowEnd, add)
      offset = rowEnd
    } else if (wholeRows > 0) {
      add(offset, wholeRows, columns)
      offset += wholeRows * columns
    } else {
      addVector(offset, border, add)
      offset = border
    }
  }
}

function borderAfter(offset: number): number {
  return (Math.floor(offset / tileElements) + 1) * tileElements
}

function requireSize(value: number, what: string, max: number): void {
  if (!Number.isSafeInteger(value) || value < 1 || value > max) throw new RangeError(`${what}: ${value}`)
}
