import { sha256 } from '../codec/index.ts'
import { drawFromCorpora } from '../datasets/index.ts'
import type { Reveal } from './chain/index.ts'
import { roundRules } from './core/rules.ts'
import { corporaThatCount } from './corpora-that-count.ts'
import type { LearningChain } from './learning-chain.ts'
import { drawAtHand } from './text-at-hand.ts'

/** Turns places in text into tokens: one row of `sequenceTokens` + 1 for each. */
export interface SequenceReader {
  ensure(shard: string, bytes: number): Promise<void>
  batch(
    draws: readonly { readonly shard: string; readonly offset: number }[],
    sequenceTokens: number
  ): Promise<Uint32Array>
}

const corporaMax = 8
const shardsEachMax = 2
const shardTimeoutMs = 2000

/**
 * What the deltas of a round are tried on: held-out text that all who aggregate draw alike, and that nobody could know
 * before everybody had committed.
 */
export async function gateTokens(
  needs: { readonly chain: LearningChain; readonly sequences: SequenceReader; readonly bytesEach: number },
  round: { readonly model: string; readonly number: number; readonly seed: string },
  reveals: readonly Reveal[],
  sequenceTokens: number
): Promise<Uint32Array> {
  const text = ['gate', round.model, round.number, round.seed, ...reveals.map(({ delta }) => delta)].join('\n')
  const seed = sha256(new TextEncoder().encode(text))
  const draws = await drawAtHand({
    sequences: needs.sequences,
    corpora: corporaThatCount(needs.chain).map(({ account, name, heldOut }) => ({
      account,
      corpus: name,
      shards: heldOut.map(({ shard, bytes }) => ({ cid: shard, bytes }))
    })),
    timeoutMs: shardTimeoutMs,
    draw: corpora =>
      drawFromCorpora({
        seed,
        corpora,
        count: roundRules.gateSequences,
        bytesEach: needs.bytesEach,
        corporaMax,
        shardsEachMax
      })
  })
  return needs.sequences.batch(draws, sequenceTokens)
}
