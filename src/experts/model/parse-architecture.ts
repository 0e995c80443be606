import { BlyanError } from '../../errors/index.ts'
import type { Architecture, ArchitectureV1, ArchitectureV2 } from './architecture.ts'

type Bounds = readonly [min: number, max: number]
type NumberField = Exclude<
  { [Name in keyof ArchitectureV1]: ArchitectureV1[Name] extends number ? Name : never }[keyof ArchitectureV1],
  undefined
>

const firstFamilyBounds = {
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
} as const satisfies Record<NumberField, Bounds>

const secondFamilyBounds = {
  ...firstFamilyBounds,
  vocabulary: [2, 1_048_576],
  contextTokens: [8, 1_048_576]
} as const satisfies Record<NumberField, Bounds>

/** A list of parts is made from the record, so a record from a stranger must not make it long. */
const expertsInAllLayersMax = 65_536
const dense: Bounds = [8, 262_144]

/** Checks a record from anywhere (a chain, a file, a channel). Throws ARCHITECTURE_INVALID; extra fields are refused. */
export function parseArchitecture(value: unknown): Architecture {
  const record = asRecord(value, 'the record')
  const router = asRecord(record.router, 'router')
  const family = oneOf(record, 'family', ['blyan-moe/1', 'blyan-moe/2'])
  const common = {
    normEpsilon: epsilonText(record.normEpsilon),
    router: { softmaxFirst: flag(router, 'softmaxFirst'), normalise: flag(router, 'normalise') },
    embeddingScale: oneOf(record, 'embeddingScale', ['one', 'sqrtWidth'])
  } as const
  const architecture: Architecture =
    family === 'blyan-moe/1'
      ? { ...numbersOf(record, firstFamilyBounds), family, ...common, ...firstFamilyFields(record) }
      : { ...numbersOf(record, secondFamilyBounds), family, ...common, ...secondFamilyFields(record) }
  noOtherFields(record, architecture, 'the record')
  noOtherFields(router, architecture.router, 'router')
  checkProportions(architecture)
  return architecture
}

function numbersOf(record: Record<string, unknown>, bounds: Record<NumberField, Bounds>): Record<NumberField, number> {
  return Object.fromEntries(
    Object.entries(bounds).map(([name, [min, max]]) => [name, integerIn(record, name, min, max)])
  ) as Record<NumberField, number>
}

function firstFamilyFields(record: Record<string, unknown>): Pick<ArchitectureV1, 'tiedOutput' | 'seed'> {
  return { tiedOutput: flag(record, 'tiedOutput'), seed: shortText(record.seed, 'seed') }
}

type SecondFamilyFields = Omit<ArchitectureV2, NumberField | 'family' | 'normEpsilon' | 'router' | 'embeddingScale'>

function secondFamilyFields(record: Record<string, unknown>): SecondFamilyFields {
  const denseLayers = ascendingLayers(record.denseLayers)
  return {
    precision: oneOf(record, 'precision', ['fp32', 'int8']),
    attentionBias: flag(record, 'attentionBias'),
    queryKeyNorm: oneOf(record, 'queryKeyNorm', ['none', 'head', 'projection']),
    clipQueryKeyValue: record.clipQueryKeyValue === null ? null : clipText(record.clipQueryKeyValue),
    slidingWindow: record.slidingWindow === null ? null : integerIn(record, 'slidingWindow', 1, 1_048_576),
    sharedExpertWidth: record.sharedExpertWidth === 0 ? 0 : integerIn(record, 'sharedExpertWidth', ...dense),
    denseLayers,
    denseWidth:
      denseLayers.length === 0 ? integerIn(record, 'denseWidth', 0, 0) : integerIn(record, 'denseWidth', ...dense),
    tokenizer: oneOf(record, 'tokenizer', ['bytes', 'tokenizer.json'])
  }
}

function checkProportions(architecture: Architecture): void {
  const { width, layers, heads, keyValueHeads, headWidth, experts, expertsPerToken } = architecture
  if (heads % keyValueHeads !== 0) throw invalid('heads must be a multiple of keyValueHeads')
  if (headWidth % 2 !== 0) throw invalid('headWidth must be even')
  if (expertsPerToken > experts) throw invalid('expertsPerToken is more than experts')
  if (architecture.family === 'blyan-moe/1') {
    // The o rows share one tensor with the q rows, so both need rows of the same length.
    if (heads * headWidth !== width) throw invalid('heads x headWidth must be width')
    return
  }
  if (layers * experts > expertsInAllLayersMax) throw invalid(`layers x experts is more than ${expertsInAllLayersMax}`)
  if (architecture.denseLayers.some(layer => layer >= layers))
    throw invalid('denseLayers names a layer that is not there')
  if (architecture.tokenizer === 'bytes' && architecture.vocabulary < 256)
    throw invalid('bytes need a vocabulary of 256')
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

function ascendingLayers(value: unknown): readonly number[] {
  const isAscending = (list: readonly unknown[]): list is number[] =>
    list.length <= secondFamilyBounds.layers[1] &&
    list.every((layer, i) => Number.isInteger(layer) && Number(layer) > (i === 0 ? -1 : Number(list[i - 1])))
  if (Array.isArray(value) && isAscending(value)) return [...value]
  throw invalid('denseLayers is not a list of ascending layer numbers')
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

function clipText(value: unknown): string {
  if (typeof value === 'string' && /^(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{0,5}[1-9])?$/.test(value) && Number(value) > 0)
    return value
  throw invalid('clipQueryKeyValue is neither null nor a decimal text such as "8" or "0.5"')
}

function noOtherFields(given: object, known: object, what: string): void {
  const extra = Object.keys(given).find(key => !Object.hasOwn(known, key))
  if (extra !== undefined) throw invalid(`${what} has a field "${extra.slice(0, 64)}" that is not known`)
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ARCHITECTURE_INVALID', { reason })
}
