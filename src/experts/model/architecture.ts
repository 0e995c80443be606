/** How a router turns logits into weights. Without `softmaxFirst` the softmax runs over the chosen experts only. */
export type RouterRule = {
  readonly softmaxFirst: boolean
  /** Divide the chosen weights by their sum. Changes nothing unless `softmaxFirst`. */
  readonly normalise: boolean
}

/** What both families have: integers, except where it says otherwise. */
type CommonArchitecture = {
  /** Token values; in `blyan-moe/1` always 256, one token a byte. */
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
}

/** The family of genesis models: bytes as tokens, fp32, one tensor a part, heads x headWidth = width. */
export type ArchitectureV1 = CommonArchitecture & {
  readonly family: 'blyan-moe/1'
  /** Output rows are the embedding rows; otherwise there is a part `output`. */
  readonly tiedOutput: boolean
  /** Seed of the genesis parameters, see genesis.ts. */
  readonly seed: string
}

/** How matrices are stored: as they are, or as int8 with one fp32 scale for each output. */
export type Precision = 'fp32' | 'int8'

/** The family of imported models (Mixtral, OLMoE, Qwen2-MoE, Qwen3-MoE). Several tensors are packed into one part. */
export type ArchitectureV2 = CommonArchitecture & {
  readonly family: 'blyan-moe/2'
  readonly precision: Precision
  /** Queries, keys and values have biases. */
  readonly attentionBias: boolean
  /** RMSNorm of queries and keys before they turn: none, over each head, or over the whole projection. */
  readonly queryKeyNorm: 'none' | 'head' | 'projection'
  /** Decimal text: queries, keys and values are cut to at most this size, after their norm. */
  readonly clipQueryKeyValue: string | null
  /** A token looks at this many tokens, itself included; null: at all before it. */
  readonly slidingWindow: number | null
  /** Above 0 every token also takes a shared expert of this width, weighted by a sigmoid gate. */
  readonly sharedExpertWidth: number
  /** Ascending numbers of the layers that have one dense feed-forward of `denseWidth` and no router. */
  readonly denseLayers: readonly number[]
  /** 0 without dense layers. */
  readonly denseWidth: number
  readonly tokenizer: 'bytes' | 'tokenizer.json'
}

/**
 * What a model is, as plain data that stands in chain A: integers, texts, booleans and null only.
 * Decoder-only transformer: RMSNorm, rotary positions (halves rotated), grouped-query attention, SwiGLU experts.
 */
export type Architecture = ArchitectureV1 | ArchitectureV2

/** Everything that computing needs of an architecture, the same for both families, numbers as numbers. */
export type ModelShape = Omit<CommonArchitecture, 'normEpsilon' | 'embeddingScale'> & {
  readonly normEpsilon: number
  readonly embeddingFactor: number
  readonly precision: Precision
  readonly attentionBias: boolean
  readonly queryKeyNorm: 'none' | 'head' | 'projection'
  readonly clipQueryKeyValue: number | null
  readonly slidingWindow: number | null
  readonly sharedExpertWidth: number
  readonly denseLayers: ReadonlySet<number>
  readonly denseWidth: number
  /** The part and slice that output rows are read from. */
  readonly outputRows: { readonly part: 'embedding' | 'output'; readonly slice: 'embeddings' | 'rows' }
}

/** Architecture of the first model of a network; about 3.4 million parameters, 1.1 million of them used a token. */
export function genesisArchitecture(seed: string): ArchitectureV1 {
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

export function shapeOf(architecture: Architecture): ModelShape {
  const { vocabulary, width, layers, heads, keyValueHeads, headWidth, experts, expertsPerToken } = architecture
  const { expertWidth, contextTokens, ropeBase, router } = architecture
  return {
    vocabulary,
    width,
    layers,
    heads,
    keyValueHeads,
    headWidth,
    experts,
    expertsPerToken,
    expertWidth,
    contextTokens,
    ropeBase,
    router,
    normEpsilon: Number(architecture.normEpsilon),
    embeddingFactor: architecture.embeddingScale === 'sqrtWidth' ? Math.sqrt(width) : 1,
    ...(architecture.family === 'blyan-moe/1' ? shapeOfFirstFamily(architecture) : shapeOfSecondFamily(architecture))
  }
}

type FamilyShape = Omit<ModelShape, keyof CommonArchitecture | 'embeddingFactor'>

function shapeOfFirstFamily(architecture: ArchitectureV1): FamilyShape {
  return {
    precision: 'fp32',
    attentionBias: false,
    queryKeyNorm: 'none',
    clipQueryKeyValue: null,
    slidingWindow: null,
    sharedExpertWidth: 0,
    denseLayers: new Set(),
    denseWidth: 0,
    outputRows: architecture.tiedOutput ? { part: 'embedding', slice: 'embeddings' } : { part: 'output', slice: 'rows' }
  }
}

function shapeOfSecondFamily(architecture: ArchitectureV2): FamilyShape {
  const { precision, attentionBias, queryKeyNorm, slidingWindow, sharedExpertWidth, denseWidth } = architecture
  const clip = architecture.clipQueryKeyValue
  return {
    precision,
    attentionBias,
    queryKeyNorm,
    clipQueryKeyValue: clip === null ? null : Number(clip),
    slidingWindow,
    sharedExpertWidth,
    denseLayers: new Set(architecture.denseLayers),
    denseWidth,
    outputRows: { part: 'output', slice: 'rows' }
  }
}
