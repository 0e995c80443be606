import { type CorpusShards, drawFromCorpora, purposeSeed, type SequenceSource } from '../datasets/index.ts'
import { isBlyanError } from '../errors/index.ts'
import { type Candidate, type Corpus, corporaOf, type Lineage, revealsOf } from './chain/index.ts'
import { verdictRules } from './core/verdict.ts'
import { corporaThatCount } from './corpora-that-count.ts'
import type { LearningChain } from './learning-chain.ts'
import { drawAtHand } from './text-at-hand.ts'

/** The text that one operator measures one candidate on, as rows of tokens. */
export interface MeasuredText {
  readonly heldOut: Uint32Array
  /** Of the same corpora, of what may be trained on; undefined where nothing can be had. */
  training(): Promise<Uint32Array | undefined>
  /** Of the shards that the candidate says it was trained on. */
  own(): Promise<Uint32Array | undefined>
}

export type MeasuredTextRequest = {
  readonly chain: Pick<LearningChain, 'state' | 'genesis'>
  readonly sequences: Pick<SequenceSource, 'batch' | 'bytesEach' | 'ensure'>
  readonly candidate: Candidate
  readonly seed: Uint8Array
  readonly count: number
  readonly sequenceTokens: number
  /** A shard that takes longer is done without. */
  readonly timeoutMs: number
}

const corporaMax = 8
const heldOutShardsMax = 2
/** Shards to train on are large, and each has to be fetched whole. */
const trainingCorporaMax = 2

/** Draws the text. Throws DRAW_IMPOSSIBLE when none of what is held out can be had. */
export async function drawMeasuredText(request: MeasuredTextRequest): Promise<MeasuredText> {
  const { chain, candidate, seed, count } = request
  const corpora = corporaThatCount(chain)
  const named = shardsOfLineages(corporaOf(chain.state), lineagesOf(request))
  const others = corporaToMeasureOn(corpora, candidate)
  const rowsFrom = (from: readonly Corpus[]): Promise<Rows> =>
    rowsOf(request, seed, count, from.map(heldOutOf), corporaMax, heldOutShardsMax)
  const first = await rowsFrom(others)
  const isAlone = first.rows === undefined && others.length < corpora.length
  const [shown, heldOut] = isAlone ? [corpora, await rowsFrom(corpora)] : [others, first]
  if (heldOut.rows === undefined) throw heldOut.error
  const few = Math.max(2, Math.floor(count * verdictRules.trainingShare))
  const same = shown.filter(({ account }) => heldOut.accounts.has(account)).map(trainingOf)
  const rowsFor = async (purpose: string, from: readonly CorpusShards[]): Promise<Uint32Array | undefined> =>
    (await rowsOf(request, purposeSeed(seed, purpose), few, from, trainingCorporaMax, 1)).rows
  return {
    heldOut: heldOut.rows,
    training: () => rowsFor('training', same),
    own: () => rowsFor('own', [named])
  }
}

/** Nobody is measured on text of its own choice where there is other text. */
export function corporaToMeasureOn(
  corpora: readonly Corpus[],
  { author, source, learners }: Pick<Candidate, 'author' | 'source' | 'learners'>
): readonly Corpus[] {
  const makers = new Set(source === 'proposal' ? [author] : learners)
  const others = corpora.filter(({ account, heldOut }) => !makers.has(account) && heldOut.length > 0)
  return others.length > 0 ? others : corpora
}

/** Of the learners whose deltas a candidate is made of, or of the author of a proposal. */
export function lineagesOf({ chain, candidate }: Pick<MeasuredTextRequest, 'chain' | 'candidate'>): readonly Lineage[] {
  if (candidate.source === 'proposal') return candidate.lineage === null ? [] : [candidate.lineage]
  const learners = new Set(candidate.learners)
  return revealsOf(chain.state, candidate.model)
    .filter(({ account }) => learners.has(account))
    .map(({ lineage }) => lineage)
}

function heldOutOf({ account, name, heldOut }: Corpus): CorpusShards {
  return { account, corpus: name, shards: heldOut.map(({ shard, bytes }) => ({ cid: shard, bytes })) }
}

function trainingOf({ account, name, training }: Corpus): CorpusShards {
  return { account, corpus: name, shards: training.map(({ shard, bytes }) => ({ cid: shard, bytes })) }
}

function shardsOfLineages(corpora: readonly Corpus[], lineages: readonly Lineage[]): CorpusShards {
  const named = new Set(lineages.flatMap(({ shards }) => shards.map(({ shard }) => shard)))
  const known = new Map(corpora.flatMap(({ training }) => training.map(({ shard, bytes }) => [shard, bytes])))
  const shards = [...named].flatMap(cid => (known.has(cid) ? [{ cid, bytes: known.get(cid)! }] : []))
  return { account: '', corpus: '', shards }
}

type Rows =
  | { readonly rows: Uint32Array; readonly accounts: ReadonlySet<string> }
  | { readonly rows: undefined; readonly error: Error }

async function rowsOf(
  { sequences, sequenceTokens, timeoutMs }: MeasuredTextRequest,
  seed: Uint8Array,
  count: number,
  corpora: readonly CorpusShards[],
  most: number,
  shardsEachMax: number
): Promise<Rows> {
  const bytesEach = sequences.bytesEach(sequenceTokens)
  try {
    const draws = await drawAtHand({
      sequences,
      corpora,
      timeoutMs,
      draw: left => drawFromCorpora({ seed, corpora: left, count, bytesEach, corporaMax: most, shardsEachMax })
    })
    const rows = await sequences.batch(draws, sequenceTokens)
    return { rows, accounts: new Set(draws.map(({ account }) => account)) }
  } catch (error) {
    if (isBlyanError(error)) return { rows: undefined, error }
    throw error
  }
}
