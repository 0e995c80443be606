import type { Architecture } from './architecture.ts'
import {
  cutsOf,
  describeModel,
  type MatrixCut,
  type PartDescription,
  type PartSlice,
  unpackSlice
} from './part-layout.ts'

/**
 * An expert cut into slices that lie on different, smaller devices. The inner width is shared out: a slice has some columns
 * of gate and up and the same rows of down, so it is an ordinary, narrower expert, and the sum of what the slices make of a
 * row is what the whole makes of it. Slices and the order of the sum follow from the expert and the number of slices alone:
 * everybody cuts the same bytes, with the same CIDs, and whoever computes which slice, the joined result has the same bits.
 */
export type SlicePlan = {
  /** `slices + 1` ascending places in the inner width, from 0 to its end. */
  readonly bounds: readonly number[]
}

/** Inner widths begin at multiples of this where they can, which is what matrix kernels like. */
const stepInner = 16
/** No architecture is narrower. */
const innerLeast = 8
export const slicesMax = 256

/** Cuts as even as possible. Throws RangeError when slices would be narrower than 8, or more than `slicesMax`. */
export function planSlices(expertWidth: number, slices: number): SlicePlan {
  if (!Number.isInteger(slices) || slices < 1 || slices > Math.min(slicesMax, expertWidth / innerLeast))
    throw new RangeError(`an expert of inner width ${expertWidth} cannot be cut into ${slices} slices`)
  const step = Math.floor(expertWidth / stepInner) >= slices ? stepInner : 1
  const units = Math.ceil(expertWidth / step)
  const bounds = Array.from({ length: slices + 1 }, (_, place) =>
    Math.min(expertWidth, Math.floor((place * units) / slices) * step)
  )
  return { bounds }
}

/** What the model is for who computes slice `index`: the same with narrower experts. */
export function sliceArchitecture<Any extends Architecture>(architecture: Any, plan: SlicePlan, index: number): Any {
  return { ...architecture, expertWidth: plan.bounds[index + 1]! - plan.bounds[index]! }
}

/** The part that slice `index` of an expert is, as `describeModel` describes it for its architecture. */
export function describeSlice(
  architecture: Architecture,
  part: PartDescription,
  plan: SlicePlan,
  index: number
): PartDescription {
  requireExpert(part)
  // Experts are alike: one layer with one expert is enough to describe.
  const narrow = { ...sliceArchitecture(architecture, plan, index), layers: 1, experts: 1, denseLayers: [] }
  const found = describeModel(narrow as Architecture).find(({ expert }) => expert === 0)!
  return { ...found, name: part.name, layer: part.layer, expert: part.expert }
}

/** The data of slice `index`, out of the data of the whole expert. Returns bytes the caller owns. */
export function cutSlice(
  architecture: Architecture,
  part: PartDescription,
  data: Uint8Array,
  plan: SlicePlan,
  index: number
): Uint8Array {
  const slice = describeSlice(architecture, part, plan, index)
  const made = new Uint8Array(slice.dataLengthBytes)
  const from = plan.bounds[index]!
  for (const name of ['gate', 'up', 'down']) {
    const isDown = name === 'down'
    copyMatrix(
      { cuts: cutsOf(part, name), data },
      { cuts: cutsOf(slice, name), data: made },
      { outputs: isDown ? 0 : from, inputs: isDown ? from : 0 }
    )
  }
  return made
}

/**
 * The result of a whole expert from the results of its slices, in the order of the slices: always the same sum, rounded to
 * fp32 after each slice. Returns an array the caller owns.
 */
export function joinSlices(results: readonly Float32Array[]): Float32Array {
  const [first, ...others] = results
  if (first === undefined || others.some(result => result.length !== first.length))
    throw new RangeError('the results of slices differ in length')
  const sum = Float32Array.from(first)
  for (const result of others) for (let i = 0; i < sum.length; i++) sum[i]! += result[i]!
  return sum
}

/**
 * Rows through an expert whose slices are elsewhere: every slice is asked at once, by its place, and the results are joined.
 * The first refusal cancels the others and is thrown.
 */
export async function callSlices(
  rows: Float32Array,
  slices: number,
  callSlice: (index: number, rows: Float32Array, signal: AbortSignal) => Promise<Float32Array>
): Promise<Float32Array> {
  const others = new AbortController()
  try {
    const calls = Array.from({ length: slices }, (_, index) => callSlice(index, rows, others.signal))
    return joinSlices(await Promise.all(calls))
  } catch (error) {
    others.abort(error)
    throw error
  }
}

type PlacedMatrix = { readonly cuts: readonly MatrixCut[]; readonly data: Uint8Array }

/** Fills `to` from `from`, whose place [0][0] lies at the given output and input. */
function copyMatrix(
  from: PlacedMatrix,
  to: PlacedMatrix,
  at: { readonly outputs: number; readonly inputs: number }
): void {
  let firstOutput = 0
  for (const { matrix, scales } of to.cuts) {
    const [outputs, inputs] = extentsOf(matrix)
    const target = unpackSlice(to.data, matrix)
    for (const run of runsOf(from.cuts, at.outputs + firstOutput, outputs)) {
      copyRun(unpackSlice(from.data, run.cut.matrix), run.cut.matrix, target, matrix, {
        outputs: run.outputs,
        inputs,
        fromOutput: run.fromOutput,
        fromInput: at.inputs,
        toOutput: run.toOutput
      })
      if (scales !== null && run.cut.scales !== null) {
        const begin = run.fromOutput * 4
        const wanted = unpackSlice(from.data, run.cut.scales).subarray(begin, begin + run.outputs * 4)
        unpackSlice(to.data, scales).set(wanted, run.toOutput * 4)
      }
    }
    firstOutput += outputs
  }
}

/** Which outputs of which cuts make up `count` outputs from `first` on. */
function runsOf(cuts: readonly MatrixCut[], first: number, count: number) {
  const runs: { cut: MatrixCut; fromOutput: number; toOutput: number; outputs: number }[] = []
  let begin = 0
  for (const cut of cuts) {
    const [outputs] = extentsOf(cut.matrix)
    const from = Math.max(first, begin)
    const end = Math.min(first + count, begin + outputs)
    if (from < end) runs.push({ cut, fromOutput: from - begin, toOutput: from - first, outputs: end - from })
    begin += outputs
  }
  return runs
}

/** Copies a block of a matrix in runs that lie together in both. */
function copyRun(
  source: Uint8Array,
  from: PartSlice,
  target: Uint8Array,
  to: PartSlice,
  block: { outputs: number; inputs: number; fromOutput: number; fromInput: number; toOutput: number }
): void {
  const valueBytes = from.dtype === 'fp32' ? 4 : 1
  const isByOutput = from.orientation === 'outIn'
  const [fromWidth, toWidth] = [from.shape[1]!, to.shape[1]!]
  const rows = isByOutput ? block.outputs : block.inputs
  const lengthBytes = (isByOutput ? block.inputs : block.outputs) * valueBytes
  for (let row = 0; row < rows; row++) {
    const [fromRow, fromColumn] = isByOutput
      ? [block.fromOutput + row, block.fromInput]
      : [block.fromInput + row, block.fromOutput]
    const [toRow, toColumn] = isByOutput ? [block.toOutput + row, 0] : [row, block.toOutput]
    const begin = (fromRow * fromWidth + fromColumn) * valueBytes
    target.set(source.subarray(begin, begin + lengthBytes), (toRow * toWidth + toColumn) * valueBytes)
  }
}

function extentsOf({ shape, orientation }: PartSlice): readonly [outputs: number, inputs: number] {
  return orientation === 'inOut' ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!]
}

function requireExpert({ expert, name }: PartDescription): void {
  if (expert === null) throw new RangeError(`${name} is not an expert of its own: only those are cut`)
}
