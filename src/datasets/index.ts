/**
 * datasets: text to learn from: read from a folder, split, packed into shards, drawn from by lot.
 * In: a folder of text and code, a tensor store, seeds and sizes of shards from chain.
 * Out: shards for training and held-out ones, places drawn from them, rows of tokens, lineage that can be drawn again.
 * Never touches: models, chains, who may train on what.
 */
export {
  type BuiltCorpus,
  buildCorpus,
  type CorpusSource,
  corpusLimits,
  packShards,
  readCorpus
} from './build-corpus.ts'
export { blocksOf, checkShard, isHeldOut, isOfOtherKind, type ShardCheck, type ShardKind } from './core/blocks.ts'
export {
  type CorpusShards,
  type Draw,
  drawFromCorpora,
  drawSequences,
  purposeSeed,
  type Shard,
  type Slice
} from './core/draw.ts'
export {
  drawBatch,
  type Lineage,
  type LineageVerdict,
  lineageLimits,
  lineageOf,
  lineageVerification,
  type TrainingPlan,
  verifyLineage
} from './core/lineage.ts'
export { type CorpusBlock, type CorpusProgress, readTexts, type SkipReason, type SourceFile } from './read-texts.ts'
export { createSequenceSource, type SequenceSource, type TokensOf } from './sequence-source.ts'
