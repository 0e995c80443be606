import { sha256 } from '../codec/index.ts'
import { type CorpusShards, drawFromCorpora } from '../datasets/index.ts'
import { heldOutShards, type Reveal } from './chain/index.ts'
import { roundRules } from './core/rules.ts'
import type { LearningChain } from './learning-chain.ts'
import { missingOf } from './measured-text.ts'

/** Turns places in text into tokens: one row of `sequenceTokens` + 1 for each. */
export interface SequenceReader {
  ensure(shard: string): Promise<void>
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
  const missing = new Set<string>()
  // Who publishes text and goes away must not stop the trial: what cannot be had is done without.
  for (;;) {
    const draws = drawFromCorpora({
      seed,
      corpora: corporaOnChain(needs.chain, missing),
      count: roundRules.gateSequences,
      bytesEach: needs.bytesEach,
      corporaMax,
      shardsEachMax
    })
    const gone = await missingOf(needs.sequences, draws, shardTimeoutMs)
    if (gone.length === 0) return needs.sequences.batch(draws, sequenceTokens)
    for (const shard of gone) missing.add(shard)
  }
}

/** All text that nobody may train on, by corpus. */
export function corporaOnChain(
  chain: Pick<LearningChain, 'state'>,
  without: ReadonlySet<string> = new Set()
): CorpusShards[] {
  const corpora = new Map<string, { account: string; corpus: string; shards: { cid: string; bytes: number }[] }>()
  for (const { shard, bytes, corpus, account } of heldOutShards(chain.state)) {
    if (without.has(shard)) continue
    const key = `${account}/${corpus}`
    const found = corpora.get(key) ?? { account, corpus, shards: [] }
    found.shards.push({ cid: shard, bytes })
    corpora.set(key, found)
  }
  return [...corpora.values()]
}
