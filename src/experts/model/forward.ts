import type { Architecture } from './architecture.ts'
import { causalMask, rotaryRows } from './positions.ts'
import { addWeighted, gatherRows, routeTokens } from './routing.ts'

export type Feeds = Readonly<
  Record<string, { readonly data: Float32Array | BigInt64Array; readonly dimensions: readonly number[] }>
>

/** Runs the graphs of graphs.ts by name: `embedding`, `layer<i>.trunk`, `layer<i>.expert<j>`, `output`. */
export interface ModelRunner {
  readonly architecture: Architecture
  run(graph: string, feeds: Feeds): Promise<Record<string, Float32Array>>
}

/** Keys and values of the tokens a sequence has so far, one pair of arrays a layer, `rows` of them filled. */
export type KeyValueCache = {
  rows: number
  readonly rowsMax: number
  readonly keys: readonly Float32Array[]
  readonly values: readonly Float32Array[]
}

export function createKeyValueCache(architecture: Architecture, rowsMax: number): KeyValueCache {
  const length = rowsMax * architecture.keyValueHeads * architecture.headWidth
  const perLayer = (): Float32Array[] => Array.from({ length: architecture.layers }, () => new Float32Array(length))
  return { rows: 0, rowsMax, keys: perLayer(), values: perLayer() }
}

/**
 * Takes `tokens` through all layers after what `cache` holds, and adds their keys and values to it.
 * Returns the hidden rows [tokens, width] before the final norm, owned by the caller.
 */
export async function forwardHidden(
  runner: ModelRunner,
  tokens: Uint8Array,
  cache: KeyValueCache
): Promise<Float32Array> {
  const { architecture } = runner
  const past = cache.rows
  const count = tokens.length
  if (past + count > cache.rowsMax) throw new RangeError('the key-value cache is full')
  const { headWidth } = architecture
  const { cosines, sines } = rotaryRows(past, count, headWidth, architecture.ropeBase)
  const positions: Feeds = {
    mask: { data: causalMask(past, count), dimensions: [count, past + count] },
    cosines: { data: cosines, dimensions: [count, 1, headWidth] },
    sines: { data: sines, dimensions: [count, 1, headWidth] }
  }
  const ids = { data: BigInt64Array.from(tokens, BigInt), dimensions: [count] }
  let hidden = (await runner.run('embedding', { tokens: ids })).hidden!
  for (let layer = 0; layer < architecture.layers; layer++) {
    hidden = await forwardLayer(runner, layer, hidden, positions, cache)
  }
  cache.rows += count
  return hidden
}

/** Final norm and output rows for `hidden` [T, width] -> [T, vocabulary]. */
export async function forwardLogits(runner: ModelRunner, hidden: Float32Array): Promise<Float32Array> {
  const { width } = runner.architecture
  const dimensions = [hidden.length / width, width]
  return (await runner.run('output', { hidden: { data: hidden, dimensions } })).logits!
}

async function forwardLayer(
  runner: ModelRunner,
  layer: number,
  hidden: Float32Array,
  positions: Feeds,
  cache: KeyValueCache
): Promise<Float32Array> {
  const { width, keyValueHeads, headWidth } = runner.architecture
  const keyValueWidth = keyValueHeads * headWidth
  const filled = cache.rows * keyValueWidth
  const past = [cache.rows, keyValueWidth]
  const trunk = await runner.run(`layer${layer}.trunk`, {
    ...positions,
    hidden: { data: hidden, dimensions: [hidden.length / width, width] },
    pastKeys: { data: cache.keys[layer]!.subarray(0, filled), dimensions: past },
    pastValues: { data: cache.values[layer]!.subarray(0, filled), dimensions: past }
  })
  cache.keys[layer]!.set(trunk.newKeys!, filled)
  cache.values[layer]!.set(trunk.newValues!, filled)
  const attended = trunk.attended!
  const normed = trunk.normed!
  for (const load of routeTokens(trunk.routerLogits!, runner.architecture)) {
    const tokens = { data: gatherRows(normed, load.tokens, width), dimensions: [load.tokens.length, width] }
    const { result } = await runner.run(`layer${layer}.expert${load.expert}`, { tokens })
    addWeighted(attended, result!, load, width)
  }
  return attended
}
