import { type ArchitectureV2, describeModel, type PartDescription, packPart } from '../../src/experts/index.ts'
import type { BlyanNode } from '../../src/node/index.ts'
import { npyFile } from '../tiles/support.ts'

export const tinyArchitecture: ArchitectureV2 = {
  family: 'blyan-moe/2',
  vocabulary: 256,
  width: 32,
  layers: 2,
  heads: 2,
  keyValueHeads: 1,
  headWidth: 16,
  experts: 4,
  expertsPerToken: 2,
  expertWidth: 64,
  contextTokens: 96,
  ropeBase: 10_000,
  normEpsilon: '1e-5',
  router: { softmaxFirst: true, normalise: true },
  embeddingScale: 'one',
  precision: 'fp32',
  attentionBias: false,
  queryKeyNorm: 'head',
  clipQueryKeyValue: null,
  slidingWindow: null,
  sharedExpertWidth: 16,
  denseLayers: [],
  denseWidth: 0,
  tokenizer: 'bytes'
}

/** Registers a model of drawn weights as its author does: one event for it, one for each part. */
export async function registerTinyModel(node: BlyanNode, name: string): Promise<void> {
  const described = describeModel(tinyArchitecture)
  const payload = { name, architecture: tinyArchitecture, parts: described.length }
  const registered = await submit(node, 'model-register', payload)
  for (const [place, part] of described.entries()) {
    const bytes = npyFile(part.shape, drawnPart(part, place))
    const { cid } = await node.putTensor({ format: 'npy', name: part.name, bytes: once(bytes) })
    await node.pinTensor(cid, true)
    await submit(node, part.blockType, {
      name: `${name}.${part.name}`,
      layer: part.layer,
      tensor: cid,
      shape: part.shape,
      dependsOn: [registered.block]
    })
  }
}

async function submit(node: BlyanNode, type: string, json: unknown): ReturnType<BlyanNode['submitEvent']> {
  return node.submitEvent({ type, payload: node.encodePayload(type, json) }, { wait: true, timeoutMs: 30_000 })
}

/** The same on every machine: norms are ones, everything else a small congruential draw. */
function drawnPart(part: PartDescription, seed: number): Uint8Array {
  let state = seed * 7919 + 17
  const draw = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return (state / 2 ** 31 - 0.5) * 0.6
  }
  const slices = part.slices.map(({ name, lengthBytes }) => {
    const values = new Float32Array(lengthBytes / 4)
    for (let i = 0; i < values.length; i++) values[i] = /norm/i.test(name) ? 1 : draw()
    return [name, new Uint8Array(values.buffer)] as const
  })
  return packPart(part, new Map(slices))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
