import { BlyanError } from '../../errors/index.ts'

/** How a router turns logits into weights. Without `softmaxFirst` the softmax runs over the chosen experts only. */
export type RouterRule = {
  readonly softmaxFirst: boolean
  /** Divide the chosen weights by their sum. Changes nothing unless `softmaxFirst`. */
  readonly normalise: boolean
}

/**
 * What a model is, as plain data that stands in chain A: integers, texts and booleans only.
 * Decoder-only transformer: RMSNorm, rotary positions (halves rotated), grouped-query attention, SwiGLU experts.
 */
export type Architecture = {
  readonly family: 'blyan-moe/1'
  /** Token values; 256 is one token a byte. */
  readonly vocabulary: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headWidth: number
  readonly experts: number
  readonly expertsPerToken: number
  readonly expertWidth: number
  readonly contextTokens: number
  readonly ropeBase: number
  /** Decimal text, because signed data holds no floats. */
  readonly normEpsilon: string
  readonly router: RouterRule
  /** What a token's embedding is multiplied by on its way in: 1, or the square root of `width`. */
  readonly embeddingScale: 'one' | 'sqrtWidth'
  /** Output rows are the embedding rows; otherwise there is a part `output`. */
  readonly tiedOutput: boolean
  /** Seed of the genesis parameters, see genesis.ts. */
  readonly seed: string
}

export type BlockType = 'embedding' | 'attention' | 'router' | 'expert'

/** One part is one tensor, one TensorBlock, one CID. Little-endian fp32, rows first. */
export type PartDescription = {
  readonly name: string
  readonly blockType: BlockType
  readonly layer: number | null
  readonly expert: number | null
  readonly shape: readonly number[]
  readonly dataLengthBytes: number
}

const bounds = {
  vocabulary: [256, 256],
  width: [8, 16_384],
  layers: [1, 256],
  heads: [1, 256],
  keyValueHeads: [1, 256],
  headWidth: [2, 512],
  experts: [1, 4096],
  expertsPerToken: [1, 64],
  expertWidth: [8, 65_536],
  contextTokens: [8, 32_768],
  ropeBase: [100, 1_000_000_000]
} as const satisfies Record<string, readonly [number, number]>

/** Architecture of the first model of a network; about 3.4 million parameters, 1.1 million of them used a token. */
export function genesisArchitecture(seed: string): Architecture {
  return {
    family: 'blyan-moe/1',
    vocabulary: 256,
    width: 128,
    layers: 4,
    heads: 4,
    keyValueHeads: 2,
    headWidth: 32,
    experts: 8,
    expertsPerToken: 2,
    expertWidth: 256,
    contextTokens: 256,
    ropeBase: 10_000,
    normEpsilon: '1e-5',
    router: { softmaxFirst: true, normalise: true },
    embeddingScale: 'sqrtWidth',
    tiedOutput: true,
    seed
  }
}

/** Checks a record from anywhere (a chain, a file, a channel). Throws ARCHITECTURE_INVALID; extra fields are refused. */
export function parseArchitecture(value: unknown): Architecture {
  const record = asRecord(value, 'the record')
  const router = asRecord(record.router, 'router')
  const numbers = Object.fromEntries(
    Object.entries(bounds).map(([name, [min, max]]) => [name, integerIn(record, name, min, max)])
  ) as Record<keyof typeof bounds, number>
  const architecture: Architecture = {
    ...numbers,
    family: oneOf(record, 'family', ['blyan-moe/1']),
    normEpsilon: epsilonText(record.normEpsilon),
    router: { softmaxFirst: flag(router, 'softmaxFirst'), normalise: flag(router, 'normalise') },
    embeddingScale: oneOf(record, 'embeddingScale', ['one', 'sqrtWidth']),
    tiedOutput: flag(record, 'tiedOutput'),
    seed: shortText(record.seed, 'seed')
  }
  noOtherFields(record, architecture, 'the record')
  noOtherFields(router, architecture.router, 'router')
  checkProportions(architecture)
  return architecture
}

/** All parts in their one order: embedding, (output,) then per layer attention, router, experts. */
export function describeModel(architecture: Architecture): readonly PartDescription[] {
  const { width, layers, experts, expertWidth } = architecture
  const parts = [describe('embedding', 'embedding', null, null, [architecture.vocabulary + 1, width])]
  if (!architecture.tiedOutput) {
    parts.push(describe('output', 'embedding', null, null, [architecture.vocabulary, width]))
  }
  for (let layer = 0; layer < layers; layer++) {
    const rows = attentionRows(architecture)
    parts.push(describe(`layer${layer}.attention`, 'attention', layer, null, [rows.total, width]))
    parts.push(describe(`layer${layer}.router`, 'router', layer, null, [experts, width]))
    for (let expert = 0; expert < experts; expert++) {
      parts.push(describe(`layer${layer}.expert${expert}`, 'expert', layer, expert, [3, width, expertWidth]))
    }
  }
  return parts
}

/** Row ranges of an attention part: q, k, v, o as [out, in] rows, then the norms before attention and before experts. */
export function attentionRows(architecture: Architecture): {
  readonly queries: number
  readonly keys: number
  readonly values: number
  readonly output: number
  readonly attentionNorm: number
  readonly expertsNorm: number
  readonly total: number
} {
  const keyValueWidth = architecture.keyValueHeads * architecture.headWidth
  const keys = architecture.heads * architecture.headWidth
  const values = keys + keyValueWidth
  const output = values + keyValueWidth
  const attentionNorm = output + architecture.width
  return { queries: 0, keys, values, output, attentionNorm, expertsNorm: attentionNorm + 1, total: attentionNorm + 2 }
}

function describe(
  name: string,
  blockType: BlockType,
  layer: number | null,
  expert: number | null,
  shape: readonly number[]
): PartDescription {
  const dataLengthBytes = 4 * shape.reduce((product, extent) => product * extent, 1)
  return { name, blockType, layer, expert, shape, dataLengthBytes }
}

function checkProportions(architecture: Architecture): void {
  const { width, heads, keyValueHeads, headWidth, experts, expertsPerToken } = architecture
  // The o rows share one tensor with the q rows, so both need rows of the same length.
  if (heads * headWidth !== width) throw invalid('heads x headWidth must be width')
  if (heads % keyValueHeads !== 0) throw invalid('heads must be a multiple of keyValueHeads')
  if (headWidth % 2 !== 0) throw invalid('headWidth must be even')
  if (expertsPerToken > experts) throw invalid('expertsPerToken is more than experts')
}

function asRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is not a map`)
  return value as Record<string, unknown>
}

function integerIn(record: Record<string, unknown>, name: string, min: number, max: number): number {
  const value = record[name]
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw invalid(`${name} is not an integer from ${min} to ${max}`)
}

function oneOf<const Choice extends string>(
  record: Record<string, unknown>,
  name: string,
  choices: readonly Choice[]
): Choice {
  const found = choices.find(choice => choice === record[name])
  if (found === undefined) throw invalid(`${name} is not one of ${choices.join(', ')}`)
  return found
}

function flag(record: Record<string, unknown>, name: string): boolean {
  const value = record[name]
  if (typeof value !== 'boolean') throw invalid(`${name} is not true or false`)
  return value
}

function shortText(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= 256) return value
  throw invalid(`${name} is not a text of at most 256 characters`)
}

function epsilonText(value: unknown): string {
  if (typeof value === 'string' && /^[1-9]e-(?:[3-9]|1[0-2])$/.test(value)) return value
  throw invalid('normEpsilon is not a decimal text such as "1e-5"')
}

function noOtherFields(given: object, known: object, what: string): void {
  const extra = Object.keys(given).find(key => !Object.hasOwn(known, key))
  if (extra !== undefined) throw invalid(`${what} has a field "${extra.slice(0, 64)}" that is not known`)
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ARCHITECTURE_INVALID', { reason })
}
