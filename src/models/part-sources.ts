import { BlyanError } from '../errors/index.ts'
import type { PartDescription, PartSlice } from '../experts/index.ts'
import type { CheckpointConfig } from './checkpoint-config.ts'
import type { TensorPlace } from './checkpoint-files.ts'

/** Rows of a tensor in a file, as it lies there: one row for each output. A vector is one row. */
export type SourceRows = {
  readonly place: TensorPlace
  readonly firstRow: number
  readonly rows: number
  readonly columns: number
}

/** A matrix, table or vector of a part and the slices that store it, in the order of its rows. */
export type PartMatrix = {
  readonly source: SourceRows
  /** How many of its rows each slice stores. */
  readonly slices: readonly { readonly slice: PartSlice; readonly rows: number }[]
}

/** Where everything of a part comes from. Throws CHECKPOINT_TENSOR_MISSING and CHECKPOINT_SHAPE_WRONG. */
export function sourcesOf(
  part: PartDescription,
  config: CheckpointConfig,
  places: ReadonlyMap<string, TensorPlace>
): readonly PartMatrix[] {
  const matrices = new Map<string, { slice: PartSlice; rows: number }[]>()
  for (const slice of part.slices) {
    if (slice.name.endsWith('.scales')) continue
    const name = slice.name.replace(/\.\d+$/, '')
    const stored = matrices.get(name) ?? []
    stored.push({ slice, rows: rowsOf(slice) })
    matrices.set(name, stored)
  }
  return [...matrices].map(([name, slices]) => {
    const columns = columnsOf(slices[0]!.slice)
    const rows = slices.reduce((total, slice) => total + slice.rows, 0)
    const isVector = slices[0]!.slice.shape.length === 1
    return { source: findSource(part, name, { rows, columns, isVector }, config, places), slices }
  })
}

type Wanted = { readonly rows: number; readonly columns: number; readonly isVector: boolean }

function findSource(
  part: PartDescription,
  slice: string,
  wanted: Wanted,
  config: CheckpointConfig,
  places: ReadonlyMap<string, TensorPlace>
): SourceRows {
  const { rows, columns, isVector } = wanted
  const name = tensorNames(part, slice, config).find(candidate => places.has(candidate))
  if (name !== undefined) {
    const place = places.get(name)!
    checkShape(place, isVector ? [columns] : [rows, columns])
    return { place, firstRow: 0, rows, columns }
  }
  const fused = part.expert === null ? undefined : places.get(fusedName(part, slice))
  if (fused === undefined)
    throw new BlyanError('CHECKPOINT_TENSOR_MISSING', { tensor: tensorNames(part, slice, config)[0]! })
  // All experts in one tensor, and in it the rows of gate before those of up.
  const { experts } = config.architecture
  const rowsEach = slice === 'down' ? rows : 2 * rows
  checkShape(fused, [experts, rowsEach, columns])
  return { place: fused, firstRow: part.expert! * rowsEach + (slice === 'up' ? rows : 0), rows, columns }
}

function checkShape({ name, shape }: TensorPlace, expected: readonly number[]): void {
  if (shape.length === expected.length && shape.every((extent, axis) => extent === expected[axis])) return
  throw new BlyanError('CHECKPOINT_SHAPE_WRONG', {
    tensor: name,
    shape: shape.join(' x ') || 'a single value',
    expected: expected.join(' x ')
  })
}

const attentionTensors: Readonly<Record<string, string>> = {
  query: 'self_attn.q_proj.weight',
  key: 'self_attn.k_proj.weight',
  value: 'self_attn.v_proj.weight',
  output: 'self_attn.o_proj.weight',
  queryBias: 'self_attn.q_proj.bias',
  keyBias: 'self_attn.k_proj.bias',
  valueBias: 'self_attn.v_proj.bias',
  queryNorm: 'self_attn.q_norm.weight',
  keyNorm: 'self_attn.k_norm.weight',
  attentionNorm: 'input_layernorm.weight',
  expertsNorm: 'post_attention_layernorm.weight'
}

/** Names of the w matrices of Mixtral. */
const mixtralTensors: Readonly<Record<string, string>> = { gate: 'w1', up: 'w3', down: 'w2' }

/** The names a tensor may have, the published one first. */
function tensorNames(part: PartDescription, slice: string, config: CheckpointConfig): readonly string[] {
  const prefix = `model.layers.${part.layer}`
  if (part.name === 'embedding') return [slice === 'finalNorm' ? 'model.norm.weight' : 'model.embed_tokens.weight']
  if (part.name === 'output') return [config.tiedOutput ? 'model.embed_tokens.weight' : 'lm_head.weight']
  if (part.blockType === 'attention') return [`${prefix}.${attentionTensors[slice]}`]
  if (part.blockType === 'router') {
    const names = [`${prefix}.block_sparse_moe.gate.weight`, `${prefix}.mlp.gate.weight`]
    return config.modelType === 'mixtral' ? names : [names[1]!]
  }
  if (part.expert === null) {
    const shared = part.name.endsWith('.shared') ? '.shared_expert' : ''
    if (slice === 'sharedGate') return [`${prefix}.mlp.shared_expert_gate.weight`]
    return [`${prefix}.mlp${shared}.${slice}_proj.weight`]
  }
  const own = `${prefix}.mlp.experts.${part.expert}.${slice}_proj.weight`
  if (config.modelType !== 'mixtral') return [own]
  return [`${prefix}.block_sparse_moe.experts.${part.expert}.${mixtralTensors[slice]}.weight`, own]
}

/** What `save_original_format=False` of transformers 5 writes. */
function fusedName(part: PartDescription, slice: string): string {
  return `model.layers.${part.layer}.mlp.experts.${slice === 'down' ? 'down_proj' : 'gate_up_proj'}`
}

/** Rows of the source that a slice stores. */
function rowsOf({ shape, orientation }: PartSlice): number {
  if (shape.length === 1) return 1
  return orientation === 'inOut' ? shape[1]! : shape[0]!
}

function columnsOf({ shape, orientation }: PartSlice): number {
  if (shape.length === 1) return shape[0]!
  return orientation === 'inOut' ? shape[0]! : shape[1]!
}
