import type { PartDescription } from '../model/part-layout.ts'
import { addChange, slicesOf } from '../training/training-state.ts'
import type { GraphSession } from './graph-session.ts'
import type { TokenFeeds } from './token-feeds.ts'
import type { Turns } from './turns.ts'

/** Values by short part name that are added to base values, or stand in for them. */
export type PartValues = ReadonlyMap<string, Float32Array>

export type ScoringNeeds = {
  readonly descriptions: ReadonlyMap<string, PartDescription>
  readonly base: (part: string) => Float32Array
  readonly session: GraphSession
  readonly feeds: TokenFeeds
  readonly sequenceTokens: number
  readonly sequencesPerRun: number
  readonly turns: Turns
}

export type ScoringRequest = {
  readonly tokens: Uint32Array
  readonly replaced: PartValues
  readonly changes: PartValues
  readonly signal: AbortSignal
}

/** The loss of each sequence, with base values as `changes` and `replaced` say. Prompts go first. */
export async function scoreSequences(needs: ScoringNeeds, request: ScoringRequest): Promise<Float64Array> {
  const { session, feeds, sequenceTokens, sequencesPerRun, turns } = needs
  const { tokens, signal } = request
  const weights = weightsOf(needs, request)
  const pieceTokens = sequencesPerRun * (sequenceTokens + 1)
  const losses = new Float64Array(tokens.length / (sequenceTokens + 1))
  for (let at = 0, done = 0; at < tokens.length; at += pieceTokens) {
    await turns.background()
    signal.throwIfAborted()
    const { perSequence } = await session.run({ ...weights, ...feeds.of(tokens.subarray(at, at + pieceTokens)) })
    for (const loss of perSequence!) losses[done++] = Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY
  }
  return losses
}

function weightsOf({ descriptions, base }: ScoringNeeds, { replaced, changes }: ScoringRequest) {
  const slices = [...descriptions.values()].flatMap(part => {
    const values = replaced.get(part.name) ?? base(part.name)
    const change = changes.get(part.name)
    return slicesOf(part, change === undefined ? values : addChange(values, change))
  })
  return Object.fromEntries(slices.map(({ name, shape, values }) => [name, { data: values, dimensions: shape }]))
}
