import { type Architecture, type ModelShape, shapeOf } from '../model/architecture.ts'
import { describeModel, type PartDescription } from '../model/part-layout.ts'

/** How a step is cut into runs of the graph, and what memory a training takes. The same for the same question everywhere. */
export type RunPlan = {
  readonly sequencesPerRun: number
  readonly sequencesPerScoringRun: number
  /** About: values, moments, gradients, and what one run holds at its fullest. */
  readonly bytes: number
}

export type RunPlanRequest = {
  readonly architecture: Architecture
  readonly trained: readonly PartDescription[]
  readonly sequences: number
  readonly sequenceTokens: number
  readonly sequencesPerRun?: number | undefined
  readonly isGraphicsDevice: boolean
}

/** What one processor core does in about 40 ms, of which a prompt waits half on average. */
const processorOperations = 1.8e9
/** Graphics devices are faster than this by far; it bounds the memory of a run. */
const graphicsOperations = 1e12

export function planRuns(request: RunPlanRequest): RunPlan {
  const { architecture, sequences, sequenceTokens, isGraphicsDevice } = request
  const shape = shapeOf(architecture)
  const forward = forwardOperations(architecture, shape, sequenceTokens)
  const operationsMax = isGraphicsDevice ? graphicsOperations : processorOperations
  const fitting = (operations: number, most: number): number =>
    evenShare(most, Math.max(1, Math.floor(operationsMax / operations)))
  const sequencesPerRun = Math.min(sequences, request.sequencesPerRun ?? fitting(3 * forward, sequences))
  const sequencesPerScoringRun = Math.max(1, Math.floor(operationsMax / forward))
  const isOneRun = sequencesPerRun === sequences
  return { sequencesPerRun, sequencesPerScoringRun, bytes: bytesOf(request, shape, sequencesPerRun, isOneRun) }
}

/** At most `atOnce` of `count` a turn, and about the same in every turn. */
function evenShare(count: number, atOnce: number): number {
  return Math.ceil(count / Math.ceil(count / atOnce))
}

/** Of the forward pass over one sequence: two for each weight that a token meets, and those of attention. */
function forwardOperations(architecture: Architecture, shape: ModelShape, sequenceTokens: number): number {
  let weights = shape.vocabulary * shape.width
  let attentionLayers = 0
  for (const part of describeModel(architecture)) {
    const values = part.dataLengthBytes / 4
    if (part.blockType === 'attention') attentionLayers++
    if (part.blockType === 'expert' && part.expert !== null) weights += (values * shape.expertsPerToken) / shape.experts
    else if (part.blockType !== 'embedding') weights += values
  }
  const attention = 4 * sequenceTokens * shape.heads * shape.headWidth * attentionLayers
  return sequenceTokens * (2 * weights + attention)
}

function bytesOf(
  { architecture, trained, sequenceTokens }: RunPlanRequest,
  shape: ModelShape,
  sequencesPerRun: number,
  isOneRun: boolean
): number {
  const sum = (parts: readonly PartDescription[]): number =>
    parts.reduce((bytes, { dataLengthBytes }) => bytes + dataLengthBytes, 0)
  // Present values, two moments, gradients inside and outside the runtime, and their sum over runs.
  const copies = isOneRun ? 5 : 6
  const activations = sequencesPerRun * activationBytes(shape, sequenceTokens)
  return sum(describeModel(architecture)) + copies * sum(trained) + activations
}

/** What the graph keeps of one sequence for its way back. */
function activationBytes(shape: ModelShape, sequenceTokens: number): number {
  const { width, heads, headWidth, keyValueHeads, experts, expertsPerToken, expertWidth, vocabulary, layers } = shape
  const inner = expertsPerToken * expertWidth + shape.sharedExpertWidth + shape.denseWidth
  const perToken = 12 * width + 4 * (heads + keyValueHeads) * headWidth + 3 * heads * sequenceTokens + 4 * experts
  return 4 * sequenceTokens * (layers * (perToken + 6 * inner + 2 * expertsPerToken * width) + 3 * vocabulary)
}
