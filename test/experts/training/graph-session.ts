/** Runs training graphs in this process and judges their gradients. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { PositionTables } from '../../../src/experts/training/position-tables.ts'

export type Numbers = Float32Array | Float64Array
export type TestFeed = { readonly data: Numbers | BigInt64Array; readonly dimensions: readonly number[] }
export type TestFeeds = Readonly<Record<string, TestFeed>>

export interface TestSession {
  run(feeds: TestFeeds): Promise<Record<string, Numbers>>
  close(): Promise<void>
}

/** 'all' fuses SiLU into an operator that has no float64 kernel, so graphs in float64 are optimised less. */
export async function openTestSession(model: Uint8Array, threads = 1): Promise<TestSession> {
  const open = (graphOptimizationLevel: 'basic' | 'all'): Promise<InferenceSession> =>
    InferenceSession.create(model, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
      graphOptimizationLevel,
      extra: { session: { 'intra_op.allow_spinning': '0', disable_prepacking: '1' } }
    })
  const session = await open('all').catch(() => open('basic'))
  return {
    async run(feeds) {
      const tensors = Object.fromEntries(
        Object.entries(feeds).map(([name, { data, dimensions }]) => [name, tensorOf(data, dimensions)])
      )
      const results = await session.run(tensors)
      return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, result.data as Numbers]))
    },
    close: () => session.release()
  }
}

export function tablesIn64(tables: PositionTables): TestFeeds {
  return Object.fromEntries(
    Object.entries(tables).map(([name, { data, dimensions }]) => [
      name,
      { data: Float64Array.from(data), dimensions: [...dimensions] }
    ])
  )
}

/** Numbers of a normal-looking spread that are the same in every run. */
export function createNumbers(seed: number): () => number {
  let state = seed >>> 0
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return () => next() + next() + next() + next() - 2
}

/** The largest distance of `gradient` from central differences of `lossAt`, against the size of both, over some of its entries. */
export async function worstDistance(
  values: Float64Array,
  gradient: Numbers,
  lossAt: () => Promise<number>,
  options: { readonly entries: number; readonly step?: number; readonly floor?: number }
): Promise<number> {
  const { entries, step = 1e-5, floor = 1e-4 } = options
  const stride = Math.max(1, Math.ceil(values.length / entries))
  let worst = 0
  for (let i = 0; i < values.length; i += stride) {
    const before = values[i]!
    values[i] = before + step
    const above = await lossAt()
    values[i] = before - step
    const below = await lossAt()
    values[i] = before
    const slope = (above - below) / (2 * step)
    const size = Math.max(Math.abs(slope), Math.abs(gradient[i]!), floor)
    worst = Math.max(worst, Math.abs(slope - gradient[i]!) / size)
  }
  return worst
}

/**
 * The same along one direction through all entries at once: two losses for a whole matrix. The size is that which the slope
 * along a direction mostly has.
 */
export async function distanceAlong(
  values: Float64Array,
  gradient: Numbers,
  lossAt: () => Promise<number>,
  { seed, step = 1e-5, floor = 1e-4 }: { readonly seed: number; readonly step?: number; readonly floor?: number }
): Promise<number> {
  const draw = createNumbers(seed)
  const before = values.slice()
  const direction = Float64Array.from(values, draw)
  const lossAfter = async (distance: number): Promise<number> => {
    for (let i = 0; i < values.length; i++) values[i] = before[i]! + distance * direction[i]!
    return lossAt()
  }
  const slope = ((await lossAfter(step)) - (await lossAfter(-step))) / (2 * step)
  values.set(before)
  let expected = 0
  let squares = 0
  direction.forEach((part, i) => {
    expected += part * gradient[i]!
    squares += (part * gradient[i]!) ** 2
  })
  return Math.abs(slope - expected) / Math.max(Math.sqrt(squares), floor)
}

function tensorOf(data: TestFeed['data'], dimensions: readonly number[]): Tensor {
  if (data instanceof BigInt64Array) return new Tensor('int64', data, dimensions)
  if (data instanceof Float64Array) return new Tensor('float64', data, dimensions)
  return new Tensor('float32', data, dimensions)
}
