import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ArchitectureV2, describeModel, type PartFile, type PartSlice } from '../../src/experts/index.ts'

const dataOffsetBytes = 256 * 1024

/** A model of the second family, a few hundred times smaller than what people run; `experts` of it dominate. */
export function benchArchitecture(change: Partial<ArchitectureV2>): ArchitectureV2 {
  return {
    family: 'blyan-moe/2',
    vocabulary: 4096,
    width: 512,
    layers: 8,
    heads: 8,
    keyValueHeads: 4,
    headWidth: 64,
    experts: 16,
    expertsPerToken: 4,
    expertWidth: 512,
    contextTokens: 4096,
    ropeBase: 10_000,
    normEpsilon: '1e-6',
    router: { softmaxFirst: true, normalise: true },
    embeddingScale: 'one',
    precision: 'int8',
    attentionBias: false,
    queryKeyNorm: 'none',
    clipQueryKeyValue: null,
    slidingWindow: null,
    sharedExpertWidth: 0,
    denseLayers: [],
    denseWidth: 0,
    tokenizer: 'bytes',
    ...change
  }
}

/** Parts with numbers that mean nothing and neither vanish nor overflow. `only` leaves out the others. */
export function writeRandomParts(
  folder: string,
  architecture: ArchitectureV2,
  only: (name: string) => boolean = () => true
): PartFile[] {
  return describeModel(architecture)
    .filter(part => only(part.name))
    .map(({ name, shape, dtype, dataLengthBytes, slices }, index) => {
      const file = Buffer.alloc(dataOffsetBytes + dataLengthBytes)
      const data = file.subarray(dataOffsetBytes)
      for (const slice of slices)
        fill(data.subarray(slice.offsetBytes, slice.offsetBytes + slice.lengthBytes), slice, index)
      const path = join(folder, `${name}.tblock`)
      writeFileSync(path, file)
      return { name, path, dataOffsetBytes, dataLengthBytes, shape, dtype }
    })
}

function fill(bytes: Buffer, { dtype, name, shape }: PartSlice, seed: number): void {
  let state = (seed * 2_654_435_761 + bytes.length) >>> 0
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  if (dtype === 'int8') {
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.round(next() * 254) & 0xff
    return
  }
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const size = 2 / Math.sqrt(shape.at(-1)!)
  for (let i = 0; i < values.length; i++) {
    if (name.endsWith('scales')) values[i] = 0.0006
    else if (name.endsWith('Norm')) values[i] = 1
    else values[i] = next() * size
  }
}
