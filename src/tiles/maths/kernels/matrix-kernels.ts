import {
  add,
  addFloats,
  andVectors,
  type Code,
  counting,
  get,
  inAllLanes,
  integer,
  isAtLeast,
  isMore,
  lane,
  loadInAllLanes,
  loadVector,
  maxUnsigned,
  multiply,
  multiplyFloats,
  set,
  shiftLeft,
  storeVector,
  subtract,
  subtractFloats,
  type WasmFunction,
  when,
  zeroVector
} from './wasm-writer.ts'

/** Ranks are padded with zeros to a multiple of four lanes. */
export const rankVectorsMax = 4

/** Rows that share what is loaded, so that their values stay in the sixteen registers a processor has. */
function rowsAtOnce(vectors: number): number {
  return vectors <= 2 ? 4 : 2
}

const each = <T>(count: number, item: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => item(at))
const join = (...codes: readonly Code[]): Code => codes.flat()

/**
 * left[i] = sum over j, ascending, of matrix[i][j] * right[j], each product and each sum rounded to fp32.
 * Parameters: matrix, bytes a row, right, left, rows (a multiple of 4), columns.
 */
export function multiplyFunction(vectors: number): WasmFunction {
  const rows = rowsAtOnce(vectors)
  const [matrix, stride, right, left, rowCount, columns, i, at, rightAt, end] = each(10, get)
  const row = each(rows, t => 10 + t)
  const firstVector = 10 + rows
  const sum = each(rows, t => each(vectors, k => firstVector + t * vectors + k))
  const factor = each(vectors, k => firstVector + rows * vectors + k)
  const scalar = firstVector + rows * vectors + vectors
  const clear = sum.flat().flatMap(local => [...set(local, zeroVector)])
  const inner = join(
    ...factor.map((local, k) => set(local, loadVector(rightAt!, 16 * k))),
    ...row.flatMap((pointer, t) => [
      set(scalar, loadInAllLanes(add(get(pointer), at!))),
      ...factor.map((local, k) =>
        set(sum[t]![k]!, addFloats(get(sum[t]![k]!), multiplyFloats(get(scalar), get(local))))
      )
    ]),
    set(8, add(rightAt!, integer(16 * vectors)))
  )
  const outer = join(
    set(10, add(matrix!, multiply(i!, stride!))),
    ...row.slice(1).map((local, t) => set(local, add(get(row[t]!), stride!))),
    clear,
    set(8, right!),
    set(7, integer(0)),
    counting(7, end!, 4, inner),
    ...sum.flatMap((locals, t) =>
      locals.map((local, k) =>
        storeVector(add(left!, multiply(add(i!, integer(t)), integer(16 * vectors))), get(local), 16 * k)
      )
    )
  )
  const body = join(set(9, shiftLeft(columns!, integer(2))), set(6, integer(0)), counting(6, rowCount!, rows, outer))
  return {
    name: `multiply${vectors}`,
    parameters: 6,
    integers: 4 + rows,
    vectors: rows * vectors + vectors + 1,
    isResult: false,
    body
  }
}

/**
 * right[j] += sum over i, ascending, of matrix[i][j] * left[i], one addition after the other.
 * Parameters: matrix, bytes a row, left, right, rows (a multiple of 4), columns.
 */
export function multiplyTransposedFunction(vectors: number): WasmFunction {
  const rows = rowsAtOnce(vectors)
  const [matrix, stride, left, right, rowCount, columns, i, at, rightAt, end] = each(10, get)
  const row = each(rows, t => 10 + t)
  const firstVector = 10 + rows
  const factor = each(rows, t => each(vectors, k => firstVector + t * vectors + k))
  const scalar = each(rows, t => firstVector + rows * vectors + t)
  const sum = firstVector + rows * vectors + rows
  const inner = join(
    ...row.map((pointer, t) => set(scalar[t]!, loadInAllLanes(add(get(pointer), at!)))),
    ...each(vectors, k =>
      join(
        set(sum, loadVector(rightAt!, 16 * k)),
        ...scalar.map((local, t) => set(sum, addFloats(get(sum), multiplyFloats(get(local), get(factor[t]![k]!))))),
        storeVector(rightAt!, get(sum), 16 * k)
      )
    ),
    set(8, add(rightAt!, integer(16 * vectors)))
  )
  const outer = join(
    set(10, add(matrix!, multiply(i!, stride!))),
    ...row.slice(1).map((local, t) => set(local, add(get(row[t]!), stride!))),
    ...factor.flatMap((locals, t) =>
      locals.map((local, k) =>
        set(local, loadVector(add(left!, multiply(add(i!, integer(t)), integer(16 * vectors))), 16 * k))
      )
    ),
    set(8, right!),
    set(7, integer(0)),
    counting(7, end!, 4, inner)
  )
  return {
    name: `multiplyTransposed${vectors}`,
    parameters: 6,
    integers: 4 + rows,
    vectors: rows * vectors + rows + 1,
    isResult: false,
    body: join(set(9, shiftLeft(columns!, integer(2))), set(6, integer(0)), counting(6, rowCount!, rows, outer))
  }
}

/**
 * matrix[i][j] = the product of left and right, summed over the rank in ascending order from zero; or, `isSubtracted`, that
 * taken from what is there. `right` lies transposed: one row of the matrix' width for each rank.
 * Parameters: left, right, matrix, rows, bytes a row (a multiple of 16).
 */
export function productFunction(vectors: number, isSubtracted: boolean): WasmFunction {
  const [left, right, matrix, rowCount, stride, i, at, leftAt, rightAt, matrixAt] = each(10, get)
  const sums = each(4, index => 10 + index)
  const scalar = 14
  const columnsOf = (count: number): Code =>
    join(
      ...sums.slice(0, count).map(local => set(local, zeroVector)),
      set(8, add(right!, at!)),
      ...each(4 * vectors, k =>
        join(
          set(scalar, loadInAllLanes(leftAt!, 4 * k)),
          ...sums
            .slice(0, count)
            .map((local, index) =>
              set(local, addFloats(get(local), multiplyFloats(get(scalar), loadVector(rightAt!, 16 * index))))
            ),
          set(8, add(rightAt!, stride!))
        )
      ),
      set(9, add(matrix!, at!)),
      ...sums.slice(0, count).map((local, index) => {
        const value = isSubtracted ? subtractFloats(loadVector(matrixAt!, 16 * index), get(local)) : get(local)
        return storeVector(matrixAt!, value, 16 * index)
      })
    )
  const wide = integer(64)
  const outer = join(
    set(7, add(left!, multiply(i!, integer(16 * vectors)))),
    set(6, integer(0)),
    // Sixteen columns at once, then four.
    when(isAtLeast(stride!, wide), counting(6, subtract(stride!, integer(63)), 64, columnsOf(4))),
    counting(6, stride!, 16, columnsOf(1)),
    set(2, add(matrix!, stride!))
  )
  return {
    name: `${isSubtracted ? 'subtractProduct' : 'product'}${vectors}`,
    parameters: 5,
    integers: 5,
    vectors: 5,
    isResult: false,
    body: join(set(5, integer(0)), counting(5, rowCount!, 1, outer))
  }
}

/** The largest absolute value, as the bits of it: above those of infinity there is a NaN. Parameters: values, bytes (a multiple of 16). */
export function maxBitsFunction(): WasmFunction {
  const [values, sizeBytes, at] = each(3, get)
  const largest = 3
  const magnitude = andVectors(loadVector(add(values!, at!)), inAllLanes(integer(0x7fffffff)))
  const higher = (index: number): Code =>
    when(isMore(lane(get(largest), index), get(0)), set(0, lane(get(largest), index)))
  return {
    name: 'maxBits',
    parameters: 2,
    integers: 1,
    vectors: 1,
    isResult: true,
    body: join(
      set(2, integer(0)),
      counting(2, sizeBytes!, 16, set(largest, maxUnsigned(get(largest), magnitude))),
      set(0, lane(get(largest), 0)),
      higher(1),
      higher(2),
      higher(3),
      get(0)
    )
  }
}
