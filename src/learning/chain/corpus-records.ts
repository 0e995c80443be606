import { learningKeys, readAt, type StateReader } from './store.ts'
import type { Corpus, CorpusShard } from './types.ts'

/** What the state says of a shard: what it is for, how long its text is, and how many corpora name it. */
export type ShardUse = { readonly use: 'training' | 'held-out'; readonly bytes: number; readonly corpora: number }

export function corpusAccounts(state: StateReader): readonly string[] {
  return readAt<readonly string[]>(state, learningKeys.corpora) ?? []
}

export function readCorpus(state: StateReader, account: string): Corpus | undefined {
  return readAt<Corpus>(state, learningKeys.corpus(account))
}

/** In the order in which they were named. */
export function corporaOf(state: StateReader): Corpus[] {
  return corpusAccounts(state).map(account => readCorpus(state, account)!)
}

/** Shards that nobody may train on, by whom they are held out; one that several hold out is there for each. */
export function heldOutShards(state: StateReader): CorpusShard[] {
  return corporaOf(state).flatMap(({ account, name, heldOut }) =>
    heldOut.map(shard => ({ ...shard, corpus: name, account }))
  )
}

export function trainingShards(state: StateReader): CorpusShard[] {
  return corporaOf(state).flatMap(({ account, name, training }) =>
    training.map(shard => ({ ...shard, corpus: name, account }))
  )
}

export function useOfShard(state: StateReader, shard: string): ShardUse | undefined {
  return readAt<ShardUse>(state, learningKeys.shard(shard))
}
