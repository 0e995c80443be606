import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { requireLearner } from './checks.ts'
import { corpusAccounts, readCorpus, type ShardUse, useOfShard } from './corpus-records.ts'
import { type LearningEvent, learningHandler, onDataChain } from './handler.ts'
import { readLearner } from './learner-records.ts'
import { markLeaving, putLearner } from './learners.ts'
import { chainLimits } from './limits.ts'
import { isModelKnown, partCountOf } from './model-parts.ts'
import { advanceSchema, corpusSchema, joinSchema, leaveSchema } from './payloads.ts'
import { modelsLearnt } from './reads.ts'
import { readStoredRound } from './round-records.ts'
import { advance, openFirstRound, renewIdleWindow } from './rounds.ts'
import { deleteAt, learningKeys, writeAt } from './store.ts'
import type { Corpus, Shard } from './types.ts'

export function learnerHandlers(genesis: Genesis): EventHandler[] {
  return [joinHandler(genesis), leaveHandler(genesis), corpusHandler(genesis), advanceHandler(genesis)]
}

function joinHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'learner-join',
    purpose: 'an account learns a model from now on, or renews that it does',
    genesis,
    schema: joinSchema,
    payloadBytesMax: 8192,
    apply: (event, { model, ...terms }) => {
      const { state, author } = event
      if (!isModelKnown(state, model) || partCountOf(state, genesis, model) === 0)
        throw new BlyanError('LEARNING_MODEL_UNKNOWN', { model })
      if (readStoredRound(state, model) === undefined) begin(event, model)
      else advance(event, model)
      putLearner(event, model, author, terms)
      renewIdleWindow(event, model)
    }
  })
}

function begin(event: LearningEvent, model: string): void {
  const known = modelsLearnt(event.state)
  if (known.length >= chainLimits.models)
    throw new BlyanError('LEARNING_FULL', { what: 'models that are learnt', limit: chainLimits.models })
  writeAt(event.state, learningKeys.models, [...known, model])
  openFirstRound(event, model)
}

function leaveHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'learner-leave',
    purpose: 'an account learns a model no longer',
    genesis,
    schema: leaveSchema,
    payloadBytesMax: 256,
    apply: (event, { model }) => {
      advance(event, model)
      markLeaving(event, model, requireLearner(event.state, model, event.author))
      advance(event, model)
    }
  })
}

function advanceHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'round-advance',
    purpose: 'asks for what is due in a round, where no other event does',
    genesis,
    schema: advanceSchema,
    payloadBytesMax: 256,
    apply: (event, { model, round: asked }) => {
      const round = readStoredRound(event.state, model)
      if (round === undefined || round.number !== asked)
        throw new BlyanError('ROUND_WRONG', { model, round: asked, now: round?.number ?? 'none' })
      if (!advance(event, model)) throw new BlyanError('ROUND_NOT_DUE', { model, round: asked })
    }
  })
}

function corpusHandler(genesis: Genesis): EventHandler {
  const handler = learningHandler({
    type: 'corpus',
    purpose: 'text to learn from and text held out for measuring, by CIDs, on chain D',
    genesis,
    schema: corpusSchema,
    payloadBytesMax: 32 * 1024,
    apply: (event, { name, training, heldOut, licence }) => {
      const { state, author, nowMs } = event
      const before = readCorpus(state, author)
      if (before !== undefined) release(event, before)
      else makeRoom(event)
      claim(event, training, 'training')
      claim(event, heldOut, 'held-out')
      const corpus: Corpus = {
        account: author,
        name,
        training,
        heldOut,
        trainingBytes: bytesOfAll(training),
        heldOutBytes: bytesOfAll(heldOut),
        licence,
        atMs: nowMs
      }
      writeAt(state, learningKeys.corpus(author), corpus)
      if (before === undefined) writeAt(state, learningKeys.corpora, [...corpusAccounts(state), author])
    }
  })
  return onDataChain(handler)
}

/**
 * The first use and length that anybody gives a shard stand: one could forbid others what they train on, or make batches
 * that were drawn from it look false. Throws CORPUS_SHARD_TAKEN, CORPUS_SHARD_LENGTH_WRONG.
 */
function claim({ state }: LearningEvent, shards: readonly Shard[], use: ShardUse['use']): void {
  for (const { shard, bytes } of shards) {
    const known = useOfShard(state, shard)
    if (known !== undefined && known.use !== use) throw new BlyanError('CORPUS_SHARD_TAKEN', { shard, use: known.use })
    if (known !== undefined && known.bytes !== bytes)
      throw new BlyanError('CORPUS_SHARD_LENGTH_WRONG', { shard, bytes, known: known.bytes })
    writeAt(state, learningKeys.shard(shard), { use, bytes, corpora: (known?.corpora ?? 0) + 1 })
  }
}

function release({ state }: LearningEvent, { training, heldOut }: Corpus): void {
  for (const { shard } of [...training, ...heldOut]) {
    const { corpora, ...known } = useOfShard(state, shard)!
    if (corpora > 1) writeAt(state, learningKeys.shard(shard), { ...known, corpora: corpora - 1 })
    else deleteAt(state, learningKeys.shard(shard))
  }
}

/** Where there is no room the oldest corpus goes of those whose account is no learner that ever committed. Throws LEARNING_FULL. */
function makeRoom(event: LearningEvent): void {
  const { state } = event
  const accounts = corpusAccounts(state)
  if (accounts.length < chainLimits.corpora) return
  const models = modelsLearnt(state)
  const hasCommitted = (account: string): boolean =>
    models.some(model => (readLearner(state, model, account)?.lastCommitRound ?? 0) > 0)
  const gone = accounts.find(account => !hasCommitted(account))
  if (gone === undefined) throw new BlyanError('LEARNING_FULL', { what: 'corpora', limit: chainLimits.corpora })
  release(event, readCorpus(state, gone)!)
  deleteAt(state, learningKeys.corpus(gone))
  writeAt(
    state,
    learningKeys.corpora,
    accounts.filter(account => account !== gone)
  )
}

function bytesOfAll(shards: readonly Shard[]): number {
  return shards.reduce((sum, { bytes }) => sum + bytes, 0)
}
