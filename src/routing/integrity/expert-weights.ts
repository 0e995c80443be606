import { open } from 'node:fs/promises'
import { cutsOf, type MatrixCut, type PartDescription, sliceOf, unpackSlice } from '../../experts/index.ts'
import type { ExpertWeights, WeightMatrix } from '../../guardian/index.ts'

/** Where the weights of one expert lie on this machine. */
export type WeightsAt = {
  readonly part: PartDescription
  readonly path: string
  readonly dataOffsetBytes: number
}

/** Larger experts are not computed apart from the engine: that would take seconds and their size in memory. */
const expertSizeBytesMax = 512 * 1024 * 1024

/** Reads the three matrices of an expert. Undefined for parts that are something else, and for very large ones. */
export async function readExpertWeights({
  part,
  path,
  dataOffsetBytes
}: WeightsAt): Promise<ExpertWeights | undefined> {
  const isExpert = part.blockType === 'expert' && part.expert !== null
  if (!isExpert || part.dataLengthBytes > expertSizeBytesMax) return undefined
  const data = new Uint8Array(part.dataLengthBytes)
  const file = await open(path, 'r')
  try {
    const { bytesRead } = await file.read(data, 0, data.length, dataOffsetBytes)
    if (bytesRead !== data.length) return undefined
  } finally {
    await file.close()
  }
  const matrix = (name: string): WeightMatrix => joined(cutsOf(part, name).map(cut => matrixOf(part, data, cut)))
  return { gate: matrix('gate'), up: matrix('up'), down: matrix('down') }
}

/**
 * Runs a long computation to its end, with turns for everybody else between its steps. Throws what the signal was aborted
 * with.
 */
export async function inTurns<Result>(steps: Generator<void, Result, void>, signal?: AbortSignal): Promise<Result> {
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value
    signal?.throwIfAborted()
    await new Promise(resolve => setImmediate(resolve))
  }
}

function matrixOf(part: PartDescription, data: Uint8Array, { matrix, scales }: MatrixCut): WeightMatrix {
  const [rows, columns] = matrix.shape as readonly [number, number]
  const isByInput = matrix.orientation === 'inOut'
  const [inputs, outputs] = isByInput ? [rows, columns] : [columns, rows]
  const bytes = unpackSlice(data, matrix)
  const values = matrix.dtype === 'int8' ? new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length) : floats(bytes)
  const plain = { inputs, outputs, order: isByInput ? 'by-input' : 'by-output', values } as const
  return scales === null ? plain : { ...plain, scales: floats(unpackSlice(data, sliceOf(part, scales.name))) }
}

/** Cuts of one matrix, side by side along the outputs, as one matrix by output. */
function joined(cuts: readonly WeightMatrix[]): WeightMatrix {
  if (cuts.length === 1) return cuts[0]!
  const { inputs } = cuts[0]!
  const outputs = cuts.reduce((sum, cut) => sum + cut.outputs, 0)
  const values = new Int8Array(inputs * outputs)
  const scales = new Float32Array(outputs)
  let first = 0
  for (const cut of cuts) {
    for (let output = 0; output < cut.outputs; output++)
      for (let input = 0; input < inputs; input++)
        values[(first + output) * inputs + input] = cut.values[input * cut.outputs + output]!
    scales.set(cut.scales!, first)
    first += cut.outputs
  }
  return { inputs, outputs, order: 'by-output', values, scales }
}

function floats(bytes: Uint8Array): Float32Array {
  // Slices begin at multiples of 4 in a buffer of our own; blyan nodes are little-endian machines or read what these wrote.
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}
