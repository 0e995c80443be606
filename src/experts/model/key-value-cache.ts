import type { ModelShape } from './architecture.ts'

/** Keys and values of the tokens a sequence has so far: by layer, by key-value head, rows [rowsMax, headWidth], `rows` of them filled. */
export type KeyValueCache = {
  rows: number
  readonly rowsMax: number
  readonly keys: readonly (readonly Float32Array[])[]
  readonly values: readonly (readonly Float32Array[])[]
}

type CacheShape = Pick<ModelShape, 'layers' | 'keyValueHeads' | 'headWidth'>

/** Memory is taken in full, though most machines only give it once it is written to. */
export function createKeyValueCache(shape: CacheShape, rowsMax: number): KeyValueCache {
  const perHead = (): Float32Array[] =>
    Array.from({ length: shape.keyValueHeads }, () => new Float32Array(rowsMax * shape.headWidth))
  const perLayer = (): Float32Array[][] => Array.from({ length: shape.layers }, perHead)
  return { rows: 0, rowsMax, keys: perLayer(), values: perLayer() }
}

/** The same rows with room for more. The cache given is not used any more. */
export function growKeyValueCache(cache: KeyValueCache, rowsMax: number): KeyValueCache {
  const grown = (rows: Float32Array): Float32Array => {
    const larger = new Float32Array((rows.length / cache.rowsMax) * rowsMax)
    larger.set(rows)
    return larger
  }
  const keys = cache.keys.map(heads => heads.map(grown))
  const values = cache.values.map(heads => heads.map(grown))
  return { rows: cache.rows, rowsMax, keys, values }
}

/** What a cache of so many rows takes. */
export function keyValueBytes(shape: CacheShape, rowsMax: number): number {
  return 2 * 4 * shape.layers * shape.keyValueHeads * shape.headWidth * rowsMax
}

/** The rows that `count` new tokens may look at, new ones included: with a sliding window not those long past. */
export function readableRows(
  shape: Pick<ModelShape, 'slidingWindow'>,
  cache: KeyValueCache,
  count: number
): { readonly first: number; readonly count: number } {
  const first = shape.slidingWindow === null ? 0 : Math.max(0, cache.rows - shape.slidingWindow + 1)
  return { first, count: cache.rows + count - first }
}

/** Writes rows `start` to `start + count` of `keys` and `values` [rows, keyValueHeads x headWidth] behind the filled rows. */
export function keepKeysAndValues(
  shape: CacheShape,
  cache: KeyValueCache,
  layer: number,
  count: number,
  keys: Float32Array,
  values: Float32Array,
  start: number
): void {
  const { keyValueHeads, headWidth } = shape
  for (let i = 0; i < count; i++) {
    for (let head = 0; head < keyValueHeads; head++) {
      const from = ((start + i) * keyValueHeads + head) * headWidth
      const to = (cache.rows + i) * headWidth
      cache.keys[layer]![head]!.set(keys.subarray(from, from + headWidth), to)
      cache.values[layer]![head]!.set(values.subarray(from, from + headWidth), to)
    }
  }
}
