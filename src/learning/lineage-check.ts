import { blocksOf, isOfOtherKind, lineageVerification, type SequenceSource, type Shard } from '../datasets/index.ts'
import { assignmentOf, type Lineage, type Reveal, type Round, trainingShards } from './chain/index.ts'
import { roundRules } from './core/rules.ts'
import type { LearningChain } from './learning-chain.ts'
import type { ModelParts } from './model-parts.ts'

type LineageNeeds = {
  readonly chain: Pick<LearningChain, 'state' | 'genesis'>
  readonly parts: Pick<ModelParts, 'model' | 'architecture'>
  readonly sequences: Pick<SequenceSource, 'bytesEach'>
}

/** Whether the batches that a reveal speaks of are those its learner was to draw. Reads the state at once; needs no text. */
export async function isLineageOfReveal(
  needs: LineageNeeds,
  round: Pick<Round, 'number'>,
  reveal: Reveal,
  signal?: AbortSignal
): Promise<boolean> {
  const { chain, parts } = needs
  const isOfThisRound = reveal.baseRound === round.number
  // Seeds of rounds gone by are not kept: what is late is checked for its form alone.
  const seed = isOfThisRound ? assignmentOf(chain.state, chain.genesis, parts.model, reveal.account).seed : undefined
  return isLineage(needs, reveal.lineage, seed, signal)
}

/** The same for a proposal, whose author chooses its own seed. */
export async function isLineageOfProposal(
  needs: LineageNeeds,
  lineage: Lineage,
  signal?: AbortSignal
): Promise<boolean> {
  return isLineage(needs, lineage, undefined, signal)
}

async function isLineage(
  { chain, parts, sequences }: LineageNeeds,
  lineage: Lineage,
  seed: string | undefined,
  signal: AbortSignal | undefined
): Promise<boolean> {
  const sizes = new Map(trainingShards(chain.state).map(({ shard, bytes }) => [shard, bytes]))
  const sequenceTokens = Math.min(roundRules.gateTokensMax, parts.architecture.contextTokens - 1)
  const verification = lineageVerification(lineage, {
    ...(seed === undefined ? {} : { seed }),
    sequenceTokens,
    bytesEach: sequences.bytesEach(sequenceTokens),
    bytesOf: shard => sizes.get(shard)
  })
  const verdict = await inTurns(verification, signal)
  // The handler let known shards only pass; one that its account has replaced since is nobody's lie.
  return verdict.valid || verdict.reason === 'shard'
}

const turnMs = 8

/** Anybody can name so many batches that drawing them again takes seconds: a validator has other things to do meanwhile. */
async function inTurns<T>(work: Generator<void, T>, signal: AbortSignal | undefined): Promise<T> {
  for (;;) {
    const endMs = performance.now() + turnMs
    while (performance.now() < endMs) {
      const { done, value } = work.next()
      if (done === true) return value
    }
    await new Promise(resolve => setImmediate(resolve))
    signal?.throwIfAborted()
  }
}

/** Looks into shards for text that nobody may train on, and remembers what it found. */
export interface ShardInspector {
  /** Fetches the shard where it is not here. Throws SHARD_INVALID when it is not what the chain says, and TENSOR_ codes. */
  inspect(sequences: Pick<SequenceSource, 'text'>, shard: Shard, signal?: AbortSignal): Promise<'clean' | 'mixed'>
  /** Whether held-out text was found in it before, without looking. */
  isKnownMixed(shard: string): boolean
}

const remembersMax = 4096
/** Others get their turn after so many blocks. */
const blocksInTurn = 256

export function createShardInspector(): ShardInspector {
  return new RememberingInspector()
}

class RememberingInspector implements ShardInspector {
  readonly #found = new Map<string, 'clean' | 'mixed'>()

  async inspect(
    sequences: Pick<SequenceSource, 'text'>,
    shard: Shard,
    signal?: AbortSignal
  ): Promise<'clean' | 'mixed'> {
    const known = this.#found.get(shard.cid)
    if (known !== undefined) return known
    const found = await look(await sequences.text(shard), signal)
    this.#found.set(shard.cid, found)
    if (this.#found.size > remembersMax) this.#found.delete(this.#found.keys().next().value!)
    return found
  }

  isKnownMixed(shard: string): boolean {
    return this.#found.get(shard) === 'mixed'
  }
}

async function look(text: Uint8Array, signal: AbortSignal | undefined): Promise<'clean' | 'mixed'> {
  let blocks = 0
  for (const block of blocksOf(text)) {
    if (isOfOtherKind(block, 'training')) return 'mixed'
    blocks += 1
    if (blocks % blocksInTurn !== 0) continue
    await new Promise(resolve => setImmediate(resolve))
    signal?.throwIfAborted()
  }
  return 'clean'
}
