import { generateSigningKey, type SigningKey } from '../../../src/codec/index.ts'
import {
  type AnsweredLoad,
  type Arithmetic,
  type CommitmentBody,
  commitmentOf,
  commitmentSigningBytes,
  committedLoads,
  type ExpertWeights,
  type WeightMatrix
} from '../../../src/guardian/index.ts'

/** Uniform numbers below 1 that follow from a seed. */
export function random(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function gaussian(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
}

export function gaussianRow(size: number, next: () => number, scale = 1): Float32Array {
  return Float32Array.from({ length: size }, () => gaussian(next) * scale)
}

/** As trained models have them: a few channels many times larger than the rest. */
export function realisticRow(size: number, next: () => number): Float32Array {
  const row = gaussianRow(size, next)
  for (let count = 0; count < Math.max(1, size / 64); count++) row[Math.floor(next() * size)]! *= 10 + 20 * next()
  return row
}

const order = { float: 'by-output', int8: 'by-input' } as const

export function drawWeights(width: number, inner: number, precision: 'float' | 'int8', next: () => number) {
  const matrix = (outputs: number, inputs: number): WeightMatrix => {
    const values = gaussianRow(outputs * inputs, next, 1 / Math.sqrt(inputs))
    const plain = { inputs, outputs, order: 'by-output', values } as const
    return precision === 'float' ? plain : toInt8(plain)
  }
  return { gate: matrix(inner, width), up: matrix(inner, width), down: matrix(width, inner) }
}

export function valueAt(matrix: WeightMatrix, output: number, input: number): number {
  const place = matrix.order === 'by-input' ? input * matrix.outputs + output : output * matrix.inputs + input
  return matrix.values[place]! * (matrix.scales?.[output] ?? 1)
}

/** One scale for each output, values stored by input: what imported models are. */
export function toInt8(matrix: WeightMatrix): WeightMatrix {
  const { inputs, outputs } = matrix
  const scales = new Float32Array(outputs)
  const values = new Int8Array(inputs * outputs)
  for (let output = 0; output < outputs; output++) {
    let largest = 0
    for (let input = 0; input < inputs; input++) largest = Math.max(largest, Math.abs(valueAt(matrix, output, input)))
    scales[output] = largest / 127
    for (let input = 0; input < inputs; input++)
      values[input * outputs + output] = Math.round(valueAt(matrix, output, input) / scales[output]!)
  }
  return { inputs, outputs, order: order.int8, values, scales }
}

/** What a cheap holder has instead: blocks of 32 along the inputs, 4 bits and a scale each, as fp32 again. */
export function toInt4(matrix: WeightMatrix): WeightMatrix {
  const { inputs, outputs } = matrix
  const values = new Float32Array(inputs * outputs)
  for (let output = 0; output < outputs; output++)
    for (let start = 0; start < inputs; start += 32) {
      const end = Math.min(inputs, start + 32)
      let largest = 0
      for (let input = start; input < end; input++)
        largest = Math.max(largest, Math.abs(valueAt(matrix, output, input)))
      const scale = largest / 7
      for (let input = start; input < end; input++) {
        const step = scale === 0 ? 0 : Math.max(-8, Math.min(7, Math.round(valueAt(matrix, output, input) / scale)))
        values[output * inputs + input] = step * scale
      }
    }
  return { inputs, outputs, order: order.float, values }
}

export function inInt4({ gate, up, down }: ExpertWeights): ExpertWeights {
  return { gate: toInt4(gate), up: toInt4(up), down: toInt4(down) }
}

/** How one machine adds up: its own order, its own number of partial sums. Everything is rounded to fp32. */
export type Machine = { readonly seed: number; readonly lanes: number; readonly isFused: boolean }

/** One expert on one row, as an honest machine computes it. */
export function computeRow(
  weights: ExpertWeights,
  row: Float32Array,
  arithmetic: Arithmetic,
  machine: Machine
): Float32Array {
  const product = arithmetic === 'float' ? floatProduct : wholeProduct
  const gated = product(weights.gate, row, machine)
  const raised = product(weights.up, row, machine)
  const inner = gated.map((value, place) => {
    const opening = Math.fround(1 / Math.fround(1 + Math.fround(Math.exp(-value))))
    return Math.fround(Math.fround(value * opening) * raised[place]!)
  })
  return product(weights.down, inner, machine)
}

function floatProduct(matrix: WeightMatrix, row: Float32Array, { seed, lanes, isFused }: Machine): Float32Array {
  const next = random(seed)
  const places = Array.from(row.keys())
  for (let place = places.length - 1; place > 0; place--) {
    const other = Math.floor(next() * (place + 1))
    ;[places[place], places[other]] = [places[other]!, places[place]!]
  }
  return Float32Array.from({ length: matrix.outputs }, (_, output) => {
    const sums = new Float32Array(lanes)
    for (const [turn, input] of places.entries()) {
      const value = Math.fround(valueAt(matrix, output, input)) * row[input]!
      sums[turn % lanes] = sums[turn % lanes]! + (isFused ? value : Math.fround(value))
    }
    return sums.reduce((sum, part) => Math.fround(sum + part), 0)
  })
}

function wholeProduct(matrix: WeightMatrix, row: Float32Array): Float32Array {
  const largest = row.reduce((size, value) => Math.max(size, Math.abs(value)), 0)
  const scale = Math.fround(Math.max(largest, 1e-30) * Math.fround(1 / 63))
  const whole = row.map(value => roundHalfEven(Math.fround(value / scale)))
  return Float32Array.from({ length: matrix.outputs }, (_, output) => {
    let sum = 0
    for (let input = 0; input < matrix.inputs; input++)
      sum += whole[input]! * matrix.values[input * matrix.outputs + output]!
    return Math.fround(Math.fround(Math.fround(sum) * matrix.scales![output]!) * scale)
  })
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

export const network = new Uint8Array(32).fill(7)
export const gatewayId = '12D3KooWGateway'
export const weightsCid = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

/** A commitment as a holder with this key signs it. */
export function signed(key: SigningKey, loads: readonly AnsweredLoad[], changes: Partial<CommitmentBody> = {}) {
  const { bytes, digest } = commitmentOf({
    network,
    gateway: gatewayId,
    holder: key.publicKey,
    session: new Uint8Array(16).fill(1),
    number: 0,
    previous: new Uint8Array(32),
    request: 'request-1',
    layer: 3,
    arithmetic: 'float',
    loads: committedLoads(loads),
    ...changes
  })
  return { bytes, digest, signature: key.sign(commitmentSigningBytes(changes.network ?? network, digest)) }
}

export const holderKey = generateSigningKey()

/** Runs a computation that yields now and then to its end. */
export function finish<Result>(steps: Generator<void, Result, void>): Result {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value
}
