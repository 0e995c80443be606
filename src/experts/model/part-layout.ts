import type { Architecture, ArchitectureV1, ArchitectureV2, Precision } from './architecture.ts'

export type BlockType = 'embedding' | 'attention' | 'router' | 'expert'

/** One tensor inside a part; contiguous, little-endian, rows first. */
export type PartSlice = {
  readonly name: string
  readonly dtype: Precision
  readonly shape: readonly number[]
  /** How a matrix lies: `outIn` has one row for each output (as Hugging Face files have), `inOut` one for each input; null: no matrix. */
  readonly orientation: 'outIn' | 'inOut' | null
  /** From the beginning of the part's data. */
  readonly offsetBytes: number
  readonly lengthBytes: number
}

/**
 * One part is one TensorBlock, one CID: its data is its slices in order. In `blyan-moe/1` they follow each other without a gap;
 * in `blyan-moe/2` each begins at a multiple of 64 bytes, with zeros between.
 */
export type PartDescription = {
  readonly name: string
  readonly blockType: BlockType
  readonly layer: number | null
  /** Null for a shared expert and a dense feed-forward, too. */
  readonly expert: number | null
  readonly dtype: Precision
  /** Of the TensorBlock. `blyan-moe/2` packs: [values] in fp32, [bytes] in int8. */
  readonly shape: readonly number[]
  readonly dataLengthBytes: number
  readonly slices: readonly PartSlice[]
}

/** An int8 matrix with more outputs is stored in cuts of at most so many, so that importing one needs bounded memory. */
export const cutOutputsMax = 8192
const alignmentBytes = 64

/**
 * All parts in their one order: embedding, (output,) then per layer attention, router, experts, (shared) or attention, dense.
 * The list of a large model has tens of thousands of entries: keep it rather than ask again.
 */
export function describeModel(architecture: Architecture): readonly PartDescription[] {
  return architecture.family === 'blyan-moe/1' ? describeFirst(architecture) : describeSecond(architecture)
}

/** The slice of that name. Throws RangeError when the part has none: names come from this module, not from strangers. */
export function sliceOf(part: Pick<PartDescription, 'name' | 'slices'>, name: string): PartSlice {
  const found = part.slices.find(slice => slice.name === name)
  if (found === undefined) throw new RangeError(`part ${part.name} has no slice ${name}`)
  return found
}

/** One cut of a matrix: all of it in fp32, at most `cutOutputsMax` outputs with their scales in int8. */
export type MatrixCut = { readonly matrix: PartSlice; readonly scales: PartSlice | null }

/** The cuts of matrix `name` in the order of their outputs. */
export function cutsOf(part: Pick<PartDescription, 'name' | 'slices'>, name: string): readonly MatrixCut[] {
  const find = (wanted: string): PartSlice | undefined => part.slices.find(slice => slice.name === wanted)
  const whole = find(name)
  if (whole !== undefined) return [{ matrix: whole, scales: find(`${name}.scales`) ?? null }]
  const cuts: MatrixCut[] = []
  for (let next = find(`${name}.0`); next !== undefined; next = find(`${name}.${cuts.length}`)) {
    cuts.push({ matrix: next, scales: sliceOf(part, `${next.name}.scales`) })
  }
  if (cuts.length === 0) throw new RangeError(`part ${part.name} has no matrix ${name}`)
  return cuts
}

/** Joins the bytes of all slices, by name, to the data of a part. Throws RangeError when one is missing or has another length. */
export function packPart(part: PartDescription, slices: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const data = new Uint8Array(part.dataLengthBytes)
  for (const { name, offsetBytes, lengthBytes } of part.slices) {
    const bytes = slices.get(name)
    if (bytes?.length !== lengthBytes) {
      throw new RangeError(
        `slice ${name} of part ${part.name} has ${bytes?.length ?? 'no'} bytes and needs ${lengthBytes}`
      )
    }
    data.set(bytes, offsetBytes)
  }
  return data
}

/** The bytes of a slice: a view of `data`, the data of its part. */
export function unpackSlice(data: Uint8Array, slice: PartSlice): Uint8Array {
  return data.subarray(slice.offsetBytes, slice.offsetBytes + slice.lengthBytes)
}

type SliceSketch = Omit<PartSlice, 'offsetBytes' | 'lengthBytes'>

function describeFirst(architecture: ArchitectureV1): readonly PartDescription[] {
  const { vocabulary, width, layers, experts, expertWidth, heads, keyValueHeads, headWidth } = architecture
  const keyValueWidth = keyValueHeads * headWidth
  const describe = (place: PartPlace, shape: readonly number[], sketches: readonly SliceSketch[]): PartDescription => {
    const { slices, dataLengthBytes } = layOut(sketches, 1)
    return { ...place, dtype: 'fp32', shape, dataLengthBytes, slices }
  }
  const rows = (name: string, outputs: number): SliceSketch => matrix(name, 'outIn', outputs, width)
  const parts = [
    describe(
      placeOf('embedding', 'embedding'),
      [vocabulary + 1, width],
      [table('embeddings', vocabulary, width), vector('finalNorm', width)]
    )
  ]
  if (!architecture.tiedOutput) {
    parts.push(describe(placeOf('output', 'embedding'), [vocabulary, width], [rows('rows', vocabulary)]))
  }
  const attention = [
    rows('query', heads * headWidth),
    rows('key', keyValueWidth),
    rows('value', keyValueWidth),
    rows('output', width),
    vector('attentionNorm', width),
    vector('expertsNorm', width)
  ]
  const attentionRows = heads * headWidth + 2 * keyValueWidth + width + 2
  const expert = [
    matrix('gate', 'inOut', width, expertWidth),
    matrix('up', 'inOut', width, expertWidth),
    matrix('down', 'outIn', width, expertWidth)
  ]
  for (let layer = 0; layer < layers; layer++) {
    parts.push(describe(placeOf(`layer${layer}.attention`, 'attention', layer), [attentionRows, width], attention))
    parts.push(describe(placeOf(`layer${layer}.router`, 'router', layer), [experts, width], [rows('router', experts)]))
    for (let j = 0; j < experts; j++) {
      parts.push(describe(placeOf(`layer${layer}.expert${j}`, 'expert', layer, j), [3, width, expertWidth], expert))
    }
  }
  return parts
}

function describeSecond(architecture: ArchitectureV2): readonly PartDescription[] {
  const { vocabulary, width, layers, experts, expertWidth, precision, sharedExpertWidth, denseWidth } = architecture
  const embedding = pack(precision, [...embeddings(precision, vocabulary, width), vector('finalNorm', width)])
  const output = pack(precision, matrices(precision, 'rows', vocabulary, width))
  const attention = pack(precision, attentionSketches(architecture))
  const router = pack('fp32', [matrix('router', 'outIn', experts, width)])
  const expert = pack(precision, feedForward(precision, width, expertWidth))
  const gate = matrix('sharedGate', 'outIn', 1, width)
  const shared = sharedExpertWidth > 0 && pack(precision, [...feedForward(precision, width, sharedExpertWidth), gate])
  const dense = denseWidth > 0 && pack(precision, feedForward(precision, width, denseWidth))
  const denseLayers = new Set(architecture.denseLayers)
  const parts: PartDescription[] = [
    { ...placeOf('embedding', 'embedding'), ...embedding },
    { ...placeOf('output', 'embedding'), ...output }
  ]
  for (let layer = 0; layer < layers; layer++) {
    parts.push({ ...placeOf(`layer${layer}.attention`, 'attention', layer), ...attention })
    if (dense && denseLayers.has(layer)) {
      parts.push({ ...placeOf(`layer${layer}.dense`, 'expert', layer), ...dense })
      continue
    }
    parts.push({ ...placeOf(`layer${layer}.router`, 'router', layer), ...router })
    for (let j = 0; j < experts; j++) {
      parts.push({ ...placeOf(`layer${layer}.expert${j}`, 'expert', layer, j), ...expert })
    }
    if (shared) parts.push({ ...placeOf(`layer${layer}.shared`, 'expert', layer), ...shared })
  }
  return parts
}

type PartPlace = Pick<PartDescription, 'name' | 'blockType' | 'layer' | 'expert'>

function placeOf(
  name: string,
  blockType: BlockType,
  layer: number | null = null,
  expert: number | null = null
): PartPlace {
  return { name, blockType, layer, expert }
}

function pack(dtype: Precision, sketches: readonly SliceSketch[]): Omit<PartDescription, keyof PartPlace> {
  const { slices, dataLengthBytes } = layOut(sketches, alignmentBytes)
  return { dtype, shape: [dtype === 'fp32' ? dataLengthBytes / 4 : dataLengthBytes], dataLengthBytes, slices }
}

function layOut(
  sketches: readonly SliceSketch[],
  multipleBytes: number
): Pick<PartDescription, 'slices' | 'dataLengthBytes'> {
  let dataLengthBytes = 0
  const slices = sketches.map(sketch => {
    const offsetBytes = Math.ceil(dataLengthBytes / multipleBytes) * multipleBytes
    const lengthBytes =
      (sketch.dtype === 'fp32' ? 4 : 1) * sketch.shape.reduce((product, extent) => product * extent, 1)
    dataLengthBytes = offsetBytes + lengthBytes
    return { ...sketch, offsetBytes, lengthBytes }
  })
  return { slices, dataLengthBytes }
}

function attentionSketches(architecture: ArchitectureV2): SliceSketch[] {
  const { width, heads, keyValueHeads, headWidth, precision, queryKeyNorm } = architecture
  const queryWidth = heads * headWidth
  const keyValueWidth = keyValueHeads * headWidth
  const isWhole = queryKeyNorm === 'projection'
  const biases = [vector('queryBias', queryWidth), vector('keyBias', keyValueWidth), vector('valueBias', keyValueWidth)]
  const norms = [
    vector('queryNorm', isWhole ? queryWidth : headWidth),
    vector('keyNorm', isWhole ? keyValueWidth : headWidth)
  ]
  return [
    ...matrices(precision, 'query', queryWidth, width),
    ...matrices(precision, 'key', keyValueWidth, width),
    ...matrices(precision, 'value', keyValueWidth, width),
    ...matrices(precision, 'output', width, queryWidth),
    ...(architecture.attentionBias ? biases : []),
    ...(queryKeyNorm === 'none' ? [] : norms),
    vector('attentionNorm', width),
    vector('expertsNorm', width)
  ]
}

function feedForward(precision: Precision, width: number, inner: number): SliceSketch[] {
  return [
    ...matrices(precision, 'gate', inner, width),
    ...matrices(precision, 'up', inner, width),
    ...matrices(precision, 'down', width, inner)
  ]
}

/** The slices that store one matrix. */
function matrices(precision: Precision, name: string, outputs: number, inputs: number): SliceSketch[] {
  if (precision === 'fp32') return [matrix(name, 'outIn', outputs, inputs)]
  const cuts = Math.ceil(outputs / cutOutputsMax)
  return Array.from({ length: cuts }, (_, cut) => {
    const count = Math.min(cutOutputsMax, outputs - cut * cutOutputsMax)
    const own = cuts === 1 ? name : `${name}.${cut}`
    const whole = { name: own, dtype: 'int8', shape: [inputs, count], orientation: 'inOut' } as const
    return [whole, vector(`${own}.scales`, count)]
  }).flat()
}

/** Rows that are looked up; in int8 with a scale for each row. */
function embeddings(precision: Precision, vocabulary: number, width: number): SliceSketch[] {
  const rows = { ...table('embeddings', vocabulary, width), dtype: precision }
  return precision === 'fp32' ? [rows] : [rows, vector('embeddings.scales', vocabulary)]
}

function table(name: string, rows: number, columns: number): SliceSketch {
  return { name, dtype: 'fp32', shape: [rows, columns], orientation: null }
}

function matrix(name: string, orientation: 'outIn' | 'inOut', rows: number, columns: number): SliceSketch {
  return { name, dtype: 'fp32', shape: [rows, columns], orientation }
}

function vector(name: string, length: number): SliceSketch {
  return { name, dtype: 'fp32', shape: [length], orientation: null }
}
