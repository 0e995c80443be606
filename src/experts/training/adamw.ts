import { BlyanError } from '../../errors/index.ts'
import type { PartSlice } from '../model/part-layout.ts'
import { type AdamWKernel, kernelBytesMax, type Move, openAdamWKernel } from './adamw-kernel.ts'

export type AdamWSettings = {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** What share of a decaying parameter goes at a learning rate of 1. */
  readonly weightDecay: number
  /** Gradients are scaled down together to this length; 0: never. */
  readonly clipNorm: number
}

export type ParameterSketch = { readonly length: number; readonly decays: boolean }

export type AdamWStep = {
  /** Length of all gradients together, before they were cut. */
  readonly gradientNorm: number
  readonly clipped: boolean
}

/**
 * AdamW over flat arrays, in arithmetic of one order and one rounding: the same inputs give the same bits on every machine.
 * Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, algorithm 2.
 */
export interface AdamW {
  /** Steps taken. */
  readonly steps: number
  /**
   * Changes `parameters` in place, by the gradients of the same names. Throws TRAINING_NOT_FINITE when their length is no
   * number; then nothing is changed.
   */
  step(
    parameters: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array>,
    learningRate: number
  ): AdamWStep
  /**
   * The same, giving way after about every million values: a few milliseconds. It must be taken to its end, and parameters and
   * gradients be left alone until then.
   */
  stepInPieces(
    parameters: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array>,
    learningRate: number
  ): Generator<void, AdamWStep, void>
  /** Everything that the next step depends on, besides parameters and settings; owned by the caller. */
  state(): Uint8Array
  /** Takes over what `state` gave for the same parameters. Throws RangeError for anything else, and changes nothing then. */
  restore(state: Uint8Array): void
}

/** Throws TRAINING_TOO_LARGE where the moments take more than 4 GiB, at 8 bytes a value. */
export function createAdamW(needs: {
  readonly settings: AdamWSettings
  readonly parameters: ReadonlyMap<string, ParameterSketch>
}): AdamW {
  return new FlatAdamW(needs.settings, needs.parameters)
}

/** Norm weights and biases stay as large as they want to be. */
export function decays(slice: Pick<PartSlice, 'shape'>): boolean {
  return slice.shape.length > 1
}

type Moments = ParameterSketch & {
  readonly first: Float32Array
  readonly second: Float32Array
}

const magic = 0x31574142
const headBytes = 32
/** Values and gradients pass through the kernel's memory in pieces that stay in a processor's cache. */
const pieceValues = 4096
const turnValues = 1_048_576

class FlatAdamW implements AdamW {
  readonly #settings: AdamWSettings
  readonly #moments: ReadonlyMap<string, Moments>
  readonly #kernel: AdamWKernel
  readonly #values: Float32Array
  readonly #gradient: Float32Array
  readonly #length: number
  #steps = 0
  /** beta1^steps and beta2^steps, by multiplication: powers differ between machines. */
  #power1 = 1
  #power2 = 1

  constructor(settings: AdamWSettings, parameters: ReadonlyMap<string, ParameterSketch>) {
    this.#settings = settings
    const padded = [...parameters.values()].reduce((total, { length }) => total + 2 * padToFour(length), 0)
    const neededBytes = 4 * (2 * pieceValues + padded)
    if (neededBytes > kernelBytesMax)
      throw new BlyanError('TRAINING_TOO_LARGE', { neededBytes, bytesMax: kernelBytesMax })
    this.#kernel = openAdamWKernel(neededBytes)
    let at = 0
    const take = (length: number): Float32Array => {
      const taken = new Float32Array(this.#kernel.memory.buffer, at, length)
      at += 4 * padToFour(length)
      return taken
    }
    this.#values = take(pieceValues)
    this.#gradient = take(pieceValues)
    this.#moments = new Map(
      [...parameters].map(([name, { length, decays }]) => [
        name,
        { length, decays, first: take(length), second: take(length) }
      ])
    )
    this.#length = [...parameters.values()].reduce((total, { length }) => total + length, 0)
  }

  get steps(): number {
    return this.#steps
  }

  step(
    parameters: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array>,
    learningRate: number
  ): AdamWStep {
    const pieces = this.stepInPieces(parameters, gradients, learningRate)
    for (;;) {
      const { done, value } = pieces.next()
      if (done) return value
    }
  }

  *stepInPieces(
    parameters: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array>,
    learningRate: number
  ): Generator<void, AdamWStep, void> {
    const work = [...this.#moments].map(([name, moments]) => {
      const values = arrayOf(parameters, name, moments.length)
      return { moments, values, gradient: arrayOf(gradients, name, moments.length) }
    })
    const turns = createTurns()
    let squares = 0
    for (const { gradient } of work) {
      squares += this.#sumOfSquares(gradient)
      if (turns.isOver(gradient.length)) yield
    }
    const gradientNorm = Math.sqrt(squares)
    if (!Number.isFinite(gradientNorm)) {
      throw new BlyanError('TRAINING_NOT_FINITE', { step: this.#steps + 1, what: 'gradient' })
    }
    const { beta1, beta2, epsilon, weightDecay, clipNorm } = this.#settings
    const clipped = clipNorm > 0 && gradientNorm > clipNorm
    this.#steps++
    this.#power1 *= beta1
    this.#power2 *= beta2
    const move = {
      scale: clipped ? clipNorm / gradientNorm : 1,
      beta1,
      beta2,
      rate: learningRate / (1 - this.#power1),
      rootScale: 1 / Math.sqrt(1 - this.#power2),
      epsilon
    }
    for (const { moments, values, gradient } of work) {
      this.#moveAll(moments, values, gradient, { ...move, keep: moments.decays ? 1 - learningRate * weightDecay : 1 })
      if (turns.isOver(gradient.length)) yield
    }
    return { gradientNorm, clipped }
  }

  #moveAll({ first, second }: Moments, values: Float32Array, gradient: Float32Array, move: Move): void {
    for (let start = 0; start < values.length; start += pieceValues) {
      const end = Math.min(start + pieceValues, values.length)
      const places = {
        first: first.byteOffset + 4 * start,
        second: second.byteOffset + 4 * start,
        values: this.#values.byteOffset,
        gradient: this.#gradient.byteOffset
      }
      this.#values.set(values.subarray(start, end))
      this.#kernel.move(places, this.#fillGradient(gradient, start, end), move)
      values.set(this.#values.subarray(0, end - start), start)
    }
  }

  #sumOfSquares(gradient: Float32Array): number {
    let total = 0
    for (let start = 0; start < gradient.length; start += pieceValues) {
      const count = this.#fillGradient(gradient, start, Math.min(start + pieceValues, gradient.length))
      total += this.#kernel.sumOfSquares(this.#gradient.byteOffset, count)
    }
    return total
  }

  /** Returns the number of values, with the zeros that fill the last four: the padding of the moments must stay zero. */
  #fillGradient(gradient: Float32Array, start: number, end: number): number {
    const count = padToFour(end - start)
    this.#gradient.set(gradient.subarray(start, end))
    this.#gradient.fill(0, end - start, count)
    return count
  }

  state(): Uint8Array {
    const state = new Uint8Array(headBytes + this.#length * 8)
    const head = new DataView(state.buffer)
    head.setUint32(0, magic, true)
    head.setUint32(4, this.#steps, true)
    head.setFloat64(8, this.#power1, true)
    head.setFloat64(16, this.#power2, true)
    head.setFloat64(24, this.#length, true)
    const all = new Float32Array(state.buffer, headBytes)
    let at = 0
    for (const { length, first, second } of this.#moments.values()) {
      all.set(first, at)
      all.set(second, at + length)
      at += 2 * length
    }
    return state
  }

  restore(state: Uint8Array): void {
    const head = new DataView(state.buffer, state.byteOffset, state.byteLength)
    const isOurs =
      state.length === headBytes + this.#length * 8 &&
      head.getUint32(0, true) === magic &&
      head.getFloat64(24, true) === this.#length
    if (!isOurs) throw new RangeError('this is no AdamW state of these parameters')
    // A copy, so that the bytes may lie anywhere.
    const all = new Float32Array(state.slice(headBytes).buffer)
    this.#steps = head.getUint32(4, true)
    this.#power1 = head.getFloat64(8, true)
    this.#power2 = head.getFloat64(16, true)
    let at = 0
    for (const { length, first, second } of this.#moments.values()) {
      first.set(all.subarray(at, at + length))
      second.set(all.subarray(at + length, at + 2 * length))
      at += 2 * length
    }
  }
}

function arrayOf(arrays: ReadonlyMap<string, Float32Array>, name: string, length: number): Float32Array {
  const found = arrays.get(name)
  if (found?.length !== length) throw new RangeError(`${name} has ${found?.length ?? 'no'} values and needs ${length}`)
  return found
}

/** Counts values until it is somebody else's turn. */
function createTurns(): { isOver(values: number): boolean } {
  let done = 0
  return {
    isOver(values) {
      done += values
      if (done < turnValues) return false
      done = 0
      return true
    }
  }
}

function padToFour(length: number): number {
  return Math.ceil(length / 4) * 4
}
