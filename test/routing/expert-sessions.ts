import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import {
  type ArchitectureV2,
  describeModel,
  littleEndianBytes,
  type PartDescription,
  packPart,
  shapeOf
} from '../../src/experts/index.ts'
import { expertGraph, type Int8Kernel } from '../../src/experts/model/graphs.ts'
import type { ExpertWeights, WeightMatrix } from '../../src/guardian/index.ts'

/** One expert of an imported model, computed by ONNX Runtime with the graphs of the product. */
export type ExpertSession = {
  readonly name: string
  /** `rows` [N, width] at once. */
  run(rows: Float32Array): Promise<Float32Array>
  release(): Promise<void>
}

export type SessionKind = {
  readonly kernel: Int8Kernel
  readonly isPrepacked: boolean
  readonly threads: number
  readonly level: 'all' | 'basic' | 'disabled'
  readonly provider: 'cpu' | 'webgpu'
}

export const plainKind: SessionKind = {
  kernel: 'integer',
  isPrepacked: true,
  threads: 1,
  level: 'all',
  provider: 'cpu'
}

export function architectureOf(width: number, expertWidth: number, precision: 'fp32' | 'int8'): ArchitectureV2 {
  return {
    family: 'blyan-moe/2',
    vocabulary: 256,
    width,
    layers: 1,
    heads: 4,
    keyValueHeads: 2,
    headWidth: width / 4,
    experts: 2,
    expertsPerToken: 1,
    expertWidth,
    contextTokens: 64,
    ropeBase: 10_000,
    normEpsilon: '1e-5',
    router: { softmaxFirst: true, normalise: true },
    embeddingScale: 'one',
    precision,
    attentionBias: false,
    queryKeyNorm: 'none',
    clipQueryKeyValue: null,
    slidingWindow: null,
    sharedExpertWidth: 0,
    denseLayers: [],
    denseWidth: 0,
    tokenizer: 'bytes'
  }
}

export function expertPart(architecture: ArchitectureV2): PartDescription {
  return describeModel(architecture).find(part => part.name === 'layer0.expert0')!
}

export function packExpert(part: PartDescription, weights: ExpertWeights): Uint8Array {
  const slices = new Map<string, Uint8Array>()
  for (const [name, matrix] of Object.entries(weights) as [string, WeightMatrix][]) {
    const { values, scales } = matrix
    slices.set(name, values instanceof Int8Array ? bytesOf(values) : littleEndianBytes(values))
    if (scales !== undefined) slices.set(`${name}.scales`, littleEndianBytes(scales))
  }
  return packPart(part, slices)
}

/** Writes the part beside others in `folder` and opens it as the engine would. */
export async function openExpert(
  folder: string,
  file: string,
  architecture: ArchitectureV2,
  weights: ExpertWeights,
  kind: SessionKind
): Promise<ExpertSession> {
  const part = expertPart(architecture)
  writeFileSync(join(folder, file), packExpert(part, weights))
  const model = expertGraph(shapeOf(architecture), { ...part, location: file, dataOffsetBytes: 0 }, kind.kernel)
  const session = await InferenceSession.create(model, {
    executionProviders: [kind.provider],
    graphOptimizationLevel: kind.level,
    intraOpNumThreads: kind.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: {
      session: {
        disable_prepacking: kind.isPrepacked ? '0' : '1',
        model_external_initializers_file_folder_path: folder,
        'intra_op.allow_spinning': '0'
      }
    }
  })
  const { width } = architecture
  return {
    name: `${kind.provider} ${architecture.precision} ${kind.kernel} ${kind.isPrepacked ? 'packed' : 'mapped'} ${kind.level} x${kind.threads}`,
    run: async rows => {
      const tokens = new Tensor('float32', rows, [rows.length / width, width])
      const { result } = await session.run({ [session.inputNames[0]!]: tokens }).then(found => ({
        result: found[session.outputNames[0]!]!
      }))
      return result.data as Float32Array
    },
    release: () => session.release()
  }
}

function bytesOf(values: Int8Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
