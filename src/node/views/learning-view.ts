import { BlyanError } from '../../errors/index.ts'
import {
  type Candidate,
  candidatesOf,
  corporaOf,
  type Lineage,
  learningIsOn,
  type Measurement,
  measurementsOf,
  modelOfPart,
  partChainOf,
  readCandidate
} from '../../learning/index.ts'
import type { LedgerAccess } from '../ledger-access.ts'

/** New versions that wait for measurement, or were measured. */
export type CandidateView = {
  readonly id: string
  readonly model: string
  readonly source: Candidate['source']
  readonly round: number
  readonly author: string
  readonly status: Candidate['status']
  readonly reason: string
  readonly parts: readonly { readonly name: string; readonly tensor: string; readonly base: string }[]
  readonly openedAt: string
  readonly dueAt: string
  readonly measured: number
  /** Billionths of a nat per token, means over the measurements; null where there is none. */
  readonly beforeNano: number | null
  readonly afterNano: number | null
}

export type MeasurementView = Omit<Measurement, 'candidate' | 'atMs'> & { readonly at: string }

export type CandidateDetails = CandidateView & {
  /** What it was trained on; null for what a round came to: its deltas have their own. */
  readonly lineage: Lineage | null
  readonly measurements: readonly MeasurementView[]
}

/** How the newest version of a part is made, and what became of the candidates for it. */
export type PartVersionsView = {
  readonly snapshot: string | null
  readonly updates: readonly { readonly update: string; readonly tensor: string; readonly sizeBytes: number }[]
  readonly candidates: readonly CandidateView[]
}

export type CorpusView = {
  readonly name: string
  readonly account: string
  readonly training: readonly { readonly shard: string; readonly bytes: number }[]
  readonly heldOut: readonly { readonly shard: string; readonly bytes: number }[]
  readonly trainingBytes: number
  readonly heldOutBytes: number
  readonly licence: string
  readonly at: string
}

type Ledger = Pick<LedgerAccess, 'state' | 'genesis'>

const candidatesOfPartMax = 8

/** Newest first. */
export function candidateViews({ state }: Ledger, query: { model: string; limit: number }): CandidateView[] {
  return candidatesOf(state, query.model)
    .toReversed()
    .slice(0, query.limit)
    .map(candidate => viewOf(candidate, measurementsOf(state, candidate.id)))
}

/** Throws CANDIDATE_UNKNOWN. */
export function candidateDetails({ state }: Ledger, id: string): CandidateDetails {
  const candidate = readCandidate(state, id)
  if (candidate === undefined) throw new BlyanError('CANDIDATE_UNKNOWN', { candidate: id })
  const measurements = measurementsOf(state, id)
  return {
    ...viewOf(candidate, measurements),
    lineage: candidate.lineage,
    measurements: measurements.map(({ candidate: _, atMs, ...rest }) => ({ ...rest, at: timeText(atMs) }))
  }
}

/** Null where the network does not learn. */
export function partVersionsView({ state, genesis }: Ledger, part: string): PartVersionsView | null {
  if (!learningIsOn(state, genesis)) return null
  const chain = partChainOf(state, genesis, part)
  const candidates = candidatesOf(state, modelOfPart(state, part)).filter(({ parts }) =>
    parts.some(({ name }) => name === part)
  )
  return {
    snapshot: chain?.snapshot ?? null,
    updates: chain?.updates ?? [],
    candidates: candidates
      .slice(-candidatesOfPartMax)
      .map(candidate => viewOf(candidate, measurementsOf(state, candidate.id)))
  }
}

export function corpusViews({ state }: Ledger): CorpusView[] {
  return corporaOf(state).map(({ atMs, ...corpus }) => ({ ...corpus, at: timeText(atMs) }))
}

function viewOf(candidate: Candidate, measurements: readonly Measurement[]): CandidateView {
  const { id, model, source, round, author, status, reason, parts, openedAtMs, dueAtMs } = candidate
  return {
    id,
    model,
    source,
    round,
    author,
    status,
    reason,
    parts: parts.map(({ name, tensor, base }) => ({ name, tensor, base })),
    openedAt: timeText(openedAtMs),
    dueAt: timeText(dueAtMs),
    measured: measurements.length,
    beforeNano: meanOf(measurements.map(({ beforeNano }) => beforeNano)),
    afterNano: meanOf(measurements.map(({ afterNano }) => afterNano))
  }
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter(value => value !== null)
  return known.length === 0 ? null : Math.round(known.reduce((sum, value) => sum + value, 0) / known.length)
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
