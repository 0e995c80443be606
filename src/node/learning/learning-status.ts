import {
  type Candidate,
  candidatesOf,
  type DutyCounts,
  type LearningChain,
  measurementsOf,
  readRound
} from '../../learning/index.ts'
import type { CandidateLine, LearningRound } from './learning-status-types.ts'

export function createDutyCounts(): DutyCounts {
  return { aggregated: 0, replayed: 0, challenged: 0, failoverMs: null }
}

export function roundView(chain: LearningChain, model: string): LearningRound | null {
  const round = readRound(chain.state, model)
  if (round === undefined) return null
  const { number, phase, learners, commits, reveals } = round
  return { number, phase, endsInMs: Math.max(0, Math.round(round.dueAtMs - chain.nowMs())), learners, commits, reveals }
}

export function candidateLines(chain: Pick<LearningChain, 'state'>, model: string): CandidateLine[] {
  return candidatesOf(chain.state, model).map(candidate => candidateLine(chain, candidate))
}

function candidateLine({ state }: Pick<LearningChain, 'state'>, candidate: Candidate): CandidateLine {
  const { id, source, round, author, status, reason, parts, openedAtMs } = candidate
  const measured = measurementsOf(state, id)
  return {
    id,
    source,
    round,
    author,
    status,
    reason,
    parts: parts.length,
    beforeNano: meanOf(measured.map(({ beforeNano }) => beforeNano)),
    afterNano: meanOf(measured.map(({ afterNano }) => afterNano)),
    openedAt: new Date(openedAtMs).toISOString()
  }
}

export function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter(value => value !== null)
  return known.length === 0 ? null : Math.round(known.reduce((sum, value) => sum + value, 0) / known.length)
}
