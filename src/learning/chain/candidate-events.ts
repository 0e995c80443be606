import { parseCid } from '../../codec/index.ts'
import { type EventHandler, type Genesis, partOfVersion } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { requireMemberOperator } from '../../ledger/index.ts'
import { measurementsOf, pendingOf, readStoredCandidate, writeCandidate } from './candidate-records.ts'
import { countMeasurements, openCandidate, openProposals } from './candidates.ts'
import { requireLineage, requireWork } from './checks.ts'
import { type LearningEvent, learningHandler } from './handler.ts'
import { proposalCommitment } from './hashes.ts'
import { chainLimits } from './limits.ts'
import { modelOfPart, newestTensor } from './model-parts.ts'
import { measureSchema, proposeSchema } from './payloads.ts'
import { readStoredRound } from './round-records.ts'
import { advance } from './rounds.ts'
import { learningSettings } from './settings.ts'
import { learningKeys, writeAt } from './store.ts'
import { spendQuota } from './trust.ts'
import type { CandidatePart, Measurement } from './types.ts'

export function candidateHandlers(genesis: Genesis): EventHandler[] {
  return [proposeHandler(genesis), measureHandler(genesis)]
}

function proposeHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'expert-propose',
    purpose: 'new versions of some parts, trained outside a round: measured as those of a round are',
    genesis,
    schema: proposeSchema,
    payloadBytesMax: 16 * 1024,
    apply: (event, { model, parts, nonce, lineage }) => {
      const { state, author, nowMs } = event
      advance(event, model)
      const changes = parts.map(part => changeOf(event, model, part))
      requireLineage(state, lineage)
      if (openProposals(state, model).length >= chainLimits.proposalsMeasured)
        throw new BlyanError('LEARNING_FULL', { what: `proposals for ${model}`, limit: chainLimits.proposalsMeasured })
      requireWork(event, { account: author, model, round: 0, commitment: proposalCommitment(parts) }, nonce)
      spendQuota(state, author, nowMs)
      const round = readStoredRound(state, model)?.number ?? 0
      openCandidate(event, { model, author, source: 'proposal', round, parts: changes, lineage, learners: [author] })
    }
  })
}

/** Throws CANDIDATE_PART_UNKNOWN, CANDIDATE_NO_CHANGE, CANDIDATE_COPIED. */
function changeOf(
  { state, genesis }: LearningEvent,
  model: string,
  { name, tensor }: { readonly name: string; readonly tensor: string }
): CandidatePart {
  const unknown = (reason: string): BlyanError =>
    new BlyanError('CANDIDATE_PART_UNKNOWN', { part: name, model, reason })
  if (modelOfPart(state, name) !== model) throw unknown('it is of another model')
  const base = newestTensor(state, genesis, name)
  if (base === undefined) throw unknown('it has no version that the state knows')
  if (base === tensor) throw new BlyanError('CANDIDATE_NO_CHANGE', { tensor, part: name })
  if (partOfVersion(state, parseCid(tensor)) !== undefined || pendingOf(state, tensor) !== undefined)
    throw new BlyanError('CANDIDATE_COPIED', { tensor })
  return { name, tensor, base, update: null, updateBytes: 0 }
}

function measureHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'learning-measure',
    purpose: 'the operator of a validator says what a candidate gains on held-out text, and its verdict',
    genesis,
    schema: measureSchema,
    payloadBytesMax: 1024,
    apply: (event, payload) => {
      const { state, author, nowMs } = event
      requireMemberOperator(state, genesis, author)
      const { candidate: id, checkpoint } = payload
      const { model } = readStoredCandidate(state, id) ?? {}
      if (model === undefined) throw new BlyanError('CANDIDATE_UNKNOWN', { candidate: id })
      advance(event, model)
      const candidate = readStoredCandidate(state, id)!
      if (candidate.status !== 'measuring' || nowMs >= candidate.dueAtMs)
        throw new BlyanError('CANDIDATE_DECIDED', { candidate: id, status: candidate.status })
      if (candidate.checkpoint !== checkpoint)
        throw new BlyanError('MEASUREMENT_CHECKPOINT_WRONG', {
          candidate: id,
          checkpoint,
          needed: candidate.checkpoint
        })
      if (measurementsOf(state, id).some(({ operator }) => operator === author))
        throw new BlyanError('MEASURED_ALREADY', { operator: author, candidate: id })
      requireConsistent(event, payload)
      const measurement: Measurement = { ...payload, operator: author, atMs: nowMs }
      writeAt(state, learningKeys.measurement(id, candidate.measurements), measurement)
      writeCandidate(state, { ...candidate, measurements: candidate.measurements + 1 })
      countMeasurements(event, id)
      advance(event, model)
    }
  })
}

export type GainFigures = {
  readonly beforeNano: number
  readonly gainNano: number
  readonly errorNano: number
}

/** Whether a gain is above what is wanted by more than two standard errors. Whole numbers: the same at every node. */
export function isGainEnough({ beforeNano, gainNano, errorNano }: GainFigures, gainPpm: number): boolean {
  return BigInt(gainNano - 2 * errorNano) * 1_000_000n > BigInt(beforeNano) * BigInt(gainPpm)
}

/** Nobody accepts what its own figures refuse. Throws MEASUREMENT_INCONSISTENT. */
function requireConsistent({ state, genesis }: LearningEvent, given: Omit<Measurement, 'operator' | 'atMs'>): void {
  const { candidate, verdict, reason, sequences, beforeNano, afterNano, gainNano, errorNano } = given
  const inconsistent = (why: string): BlyanError =>
    new BlyanError('MEASUREMENT_INCONSISTENT', { candidate, verdict, reason: why })
  if ((verdict === 'accept') !== (reason === 'none')) throw inconsistent(`the reason is ${reason}`)
  if (verdict === 'refuse') return
  const settings = learningSettings(state, genesis)
  if (beforeNano === null || afterNano === null || gainNano === null || errorNano === null)
    throw inconsistent('a figure is missing')
  if (sequences < settings.sequences) throw inconsistent(`${sequences} sequences of ${settings.sequences}`)
  if (errorNano < 0 || Math.abs(beforeNano - afterNano - gainNano) > 2)
    throw inconsistent('the figures do not fit each other')
  if (!isGainEnough({ beforeNano, gainNano, errorNano }, settings.gainPpm)) throw inconsistent('the gain is not enough')
}
