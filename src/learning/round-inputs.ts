import type { DeltaFile, TensorStore } from '../tiles/index.ts'
import { baseOf, type EdgeResult, type Reveal, type Round } from './chain/index.ts'
import { judgeDelta } from './core/gate.ts'
import { gateTokensOf, roundRules } from './core/rules.ts'
import { changesIn, type GatedDeltas, gateDeltas } from './delta-gate.ts'
import { openChanges, readReveal } from './delta-reader.ts'
import { gateTokens, type SequenceReader } from './held-out-draw.ts'
import { codeOf, type LearningChain, type LearningLogger } from './learning-chain.ts'
import { isLineageOfReveal } from './lineage-check.ts'
import { type ModelParts, newestTensors } from './model-parts.ts'
import type { ModelScorer } from './model-scorer.ts'
import { fetchBytes } from './stored-bytes.ts'

export type RoundInputsNeeds = {
  readonly chain: LearningChain
  readonly parts: ModelParts
  readonly tensors: Pick<TensorStore, 'fetchTensor' | 'info' | 'remove'>
  readonly scorer: ModelScorer
  readonly sequences: SequenceReader & { bytesEach(sequenceTokens: number): number }
  /** Whether held-out text was found in a shard that is published to train on. */
  readonly isKnownMixed: (shard: string) => boolean
  readonly logger: LearningLogger
}

/** Tries revealed deltas against the newest version: what of them may count. */
export async function gateReveals(
  needs: RoundInputsNeeds,
  round: Round,
  reveals: readonly Reveal[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal }
): Promise<GatedDeltas> {
  const { chain, parts, logger } = needs
  // Read before the first wait: it is the version that this round's deltas are added to.
  const bases = new Map(reveals.map(({ baseRound }) => [baseRound, tensorsWhenOpened(needs, baseRound)]))
  const trial = await trialOf(needs, round, reveals, options.signal)
  const { examined, untrue } = await lineagesOf(needs, round, smallestThatFit(reveals), options)
  return gateDeltas(
    {
      parts,
      open: reveal =>
        keptIfUsable(needs, reveal.delta, () =>
          readReveal({ tensors: needs.tensors, network: chain.genesis.cid, parts }, reveal, {
            tensorOf: name => bases.get(reveal.baseRound)?.get(name),
            timeoutMs: options.timeoutMs,
            signal: options.signal
          })
        ),
      refusedBefore: untrue,
      score: trial,
      logger
    },
    round.number,
    reveals.filter(reveal => examined.has(reveal))
  )
}

/** A file that cannot be opened does not say what round it is of: it would lie here for ever. */
async function keptIfUsable<T>(
  { tensors }: Pick<RoundInputsNeeds, 'tensors'>,
  cid: string,
  open: () => Promise<T>
): Promise<T> {
  const wasHere = tensors.info(cid) !== undefined
  try {
    return await open()
  } catch (error) {
    if (!wasHere && tensors.info(cid)?.name === 'delta') await tensors.remove(cid).catch(() => {})
    throw error
  }
}

/** All of them are in memory at a time. Who fills it counts last, and everybody leaves out the same. */
function smallestThatFit(reveals: readonly Reveal[]): readonly Reveal[] {
  let leftBytes: number = roundRules.gateBytesMax
  return reveals
    .toSorted((one, other) => one.sizeBytes - other.sizeBytes)
    .filter(({ sizeBytes }) => {
      leftBytes -= sizeBytes
      return leftBytes >= 0
    })
}

/** Of the time until backups step in. */
const lineageShare = 1 / 4

/** Looks at what is quick to draw again first: who names more batches than there is time for does not count in this round. */
async function lineagesOf(
  needs: RoundInputsNeeds,
  round: Round,
  reveals: readonly Reveal[],
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal }
): Promise<{ readonly examined: ReadonlySet<Reveal>; readonly untrue: ReadonlySet<string> }> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(Math.round(timeoutMs * lineageShare))])
  const examined = new Set<Reveal>()
  const untrue = new Set<string>()
  try {
    for (const reveal of reveals.toSorted((one, other) => one.lineage.steps - other.lineage.steps)) {
      if (!(await hasLineage(needs, round, reveal, late))) untrue.add(reveal.account)
      examined.add(reveal)
    }
  } catch (error) {
    if (signal.aborted || !late.aborted) throw error
  }
  return { examined, untrue }
}

function tensorsWhenOpened({ chain, parts }: RoundInputsNeeds, round: number): ReadonlyMap<string, string> {
  const tensors = new Map<string, string>()
  for (const { name } of parts.all) {
    const tensor = baseOf(chain.state, chain.genesis, name, round) ?? chain.newest(name)?.tensor
    if (tensor !== undefined) tensors.set(name, tensor)
  }
  return tensors
}

/** The quorum refuses a whole round for one false lineage: whoever has one is left out first. */
async function hasLineage(
  needs: RoundInputsNeeds,
  round: Round,
  reveal: Reveal,
  signal: AbortSignal
): Promise<boolean> {
  if (reveal.lineage.shards.some(({ shard }) => needs.isKnownMixed(shard))) return false
  return isLineageOfReveal(needs, round, reveal, signal)
}

type Trial = (changes?: ReadonlyMap<string, Float32Array>) => Promise<Float64Array>

/** Undefined where nothing can be tried: then the quorum's measurement is the only gate. */
async function trialOf(
  needs: RoundInputsNeeds,
  round: Round,
  reveals: readonly Reveal[],
  signal: AbortSignal
): Promise<Trial | undefined> {
  const { chain, parts, scorer, sequences, logger } = needs
  const tensors = newestTensors(parts, name => chain.newest(name))
  if (tensors === undefined) return undefined
  const sequenceTokens = gateTokensOf(parts.architecture)
  try {
    const bytesEach = sequences.bytesEach(sequenceTokens)
    const tokens = await gateTokens({ chain, sequences, bytesEach }, round, reveals, sequenceTokens)
    const score: Trial = changes =>
      scorer.score({ tensors, tokens, sequenceTokens, signal, ...(changes === undefined ? {} : { changes }) })
    return score
  } catch (error) {
    logger.info({ code: codeOf(error) }, 'no held-out text to try deltas on')
    return undefined
  }
}

export type RegionSum = {
  readonly region: string
  readonly update: string
  readonly file: DeltaFile
  readonly weightPpm: number
}

/**
 * Opens what edge aggregators made of their regions, and tries it as a delta is tried: anybody may come to sum up a region.
 * What cannot be used is left away, and its deltas are taken one by one.
 */
export async function openRegions(
  needs: RoundInputsNeeds,
  round: Round,
  reveals: readonly Reveal[],
  edges: readonly EdgeResult[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal }
): Promise<RegionSum[]> {
  const opened = await openSums(needs, edges, options)
  const trial = opened.length === 0 ? undefined : await trialOf(needs, round, reveals, options.signal)
  if (trial === undefined) return opened
  const before = await trial()
  const sums: RegionSum[] = []
  for (const sum of opened) {
    const { refusal } = judgeDelta(before, await trial(changesIn(sum.file)))
    if (refusal === undefined) sums.push(sum)
    else needs.logger.debug({ region: sum.region, refusal }, 'the sum of a region is not used')
  }
  return sums
}

async function openSums(
  needs: RoundInputsNeeds,
  edges: readonly EdgeResult[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal }
): Promise<RegionSum[]> {
  const { chain, parts } = needs
  const sums = await Promise.all(
    edges.map(async edge => {
      try {
        const bytes = await fetchBytes(needs.tensors, edge.update, 'update', {
          sizeBytesMax: edge.updateBytes,
          timeoutMs: options.timeoutMs,
          signal: options.signal
        })
        const file = openChanges(bytes, {
          network: chain.genesis.cid,
          parts,
          kind: 'update',
          author: edge.author,
          sizeBytesMax: edge.updateBytes,
          tensorOf: name => chain.newest(name)?.tensor
        })
        if (![...changesIn(file).values()].every(values => values.every(Number.isFinite))) return undefined
        const weightPpm = edge.accepted.reduce((sum, { weightPpm: one }) => sum + one, 0)
        return { region: edge.region, update: edge.update, file, weightPpm }
      } catch (error) {
        needs.logger.debug({ region: edge.region, code: codeOf(error) }, 'a region cannot be used')
        return undefined
      }
    })
  )
  return sums.filter(sum => sum !== undefined)
}
