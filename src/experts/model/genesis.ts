import { BlyanError } from '../../errors/index.ts'
import type { Architecture, ArchitectureV1 } from './architecture.ts'
import { createIntegerGenerator, type IntegerGenerator } from './integer-generator.ts'
import { describeModel, type PartDescription, sliceOf } from './part-layout.ts'

export type GenesisPart = PartDescription & {
  /** Owned by the caller. */
  readonly data: Float32Array
}

/**
 * The first parameters of a model, drawn from its seed, one part after the other in `describeModel` order.
 *
 * Every part has a generator of its own, seeded with "blyan-genesis/1|<seed>|<part name>". A value is the sum of four
 * 16-bit integers (low half of a word, high half, low and high of the next) minus its mean 131070, times 2^-shift:
 * at most 18 bits, so exact in fp32 on every machine. Norm weights are 1 and draw nothing. The shifts keep
 * activations near unit size and the untrained loss near ln(vocabulary). Throws ARCHITECTURE_INVALID for another family.
 */
export function* genesisParts(architecture: Architecture): Generator<GenesisPart, void, void> {
  if (architecture.family !== 'blyan-moe/1') {
    throw new BlyanError('ARCHITECTURE_INVALID', { reason: 'only blyan-moe/1 is drawn from a seed' })
  }
  for (const part of describeModel(architecture)) yield { ...part, data: drawPart(architecture, part) }
}

/** The bytes a TensorBlock stores for a part: little-endian fp32. A view of `data`, not a copy, where the machine allows. */
export function littleEndianBytes(data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return machineIsLittleEndian ? bytes : Buffer.from(bytes).swap32()
}

const machineIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const sumMean = 131_070

function drawPart(architecture: ArchitectureV1, part: PartDescription): Float32Array {
  const { width, vocabulary, expertWidth } = architecture
  const data = new Float32Array(part.dataLengthBytes / 4)
  const next = createIntegerGenerator(`blyan-genesis/1|${architecture.seed}|${part.name}`)
  const residual = Math.ceil(bitsFor(2 * architecture.layers) / 2)
  switch (part.blockType) {
    case 'embedding':
      // Standard deviation about 2.3 / width: with a tied output the current byte's own logit stays small.
      draw(data.subarray(0, vocabulary * width), 14 + bitsFor(width), next)
      data.fill(1, vocabulary * width)
      break
    case 'attention': {
      const output = sliceOf(part, 'output').offsetBytes / 4
      const norms = sliceOf(part, 'attentionNorm').offsetBytes / 4
      draw(data.subarray(0, output), shiftFor(width), next)
      draw(data.subarray(output, norms), shiftFor(width) + residual, next)
      data.fill(1, norms)
      break
    }
    case 'router':
      draw(data, shiftFor(width) + 1, next)
      break
    case 'expert':
      draw(data.subarray(0, 2 * width * expertWidth), shiftFor(width), next)
      draw(data.subarray(2 * width * expertWidth), shiftFor(expertWidth) + residual, next)
      break
  }
  return data
}

/** The sum of four has a standard deviation of about 2^15.2, so this makes about 1 / sqrt(inputs). */
function shiftFor(inputs: number): number {
  return 15 + Math.ceil(bitsFor(inputs) / 2)
}

function bitsFor(count: number): number {
  return 32 - Math.clz32(count - 1)
}

function draw(target: Float32Array, shift: number, next: IntegerGenerator): void {
  const scale = 2 ** -shift
  for (let i = 0; i < target.length; i++) {
    const first = next()
    const second = next()
    const sum = (first & 0xffff) + (first >>> 16) + (second & 0xffff) + (second >>> 16)
    target[i] = (sum - sumMean) * scale
  }
}
