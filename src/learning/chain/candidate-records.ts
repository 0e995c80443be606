import type { StateView } from '../../dag/index.ts'
import { deleteAt, deletePages, learningKeys, readAt, readPages, type StateReader, writeAt } from './store.ts'
import type { Candidate, CandidatePart, Measurement } from './types.ts'

/** A candidate as the state keeps it: its lists are pages of their own. */
export type StoredCandidate = Omit<Candidate, 'parts' | 'learners'> & { readonly partCount: number }

/** A tensor that waits: of which candidate, and for which part. */
export type Pending = { readonly candidate: string; readonly part: string }

export function readStoredCandidate(state: StateReader, id: string): StoredCandidate | undefined {
  return readAt<StoredCandidate>(state, learningKeys.candidate(id))
}

export function writeCandidate(state: StateView, candidate: StoredCandidate): void {
  writeAt(state, learningKeys.candidate(candidate.id), candidate)
}

export function readCandidate(state: StateReader, id: string): Candidate | undefined {
  const stored = readStoredCandidate(state, id)
  if (stored === undefined) return undefined
  const { partCount: _, ...rest } = stored
  return {
    ...rest,
    parts: candidateParts(state, id),
    learners: readPages<string>(state, learningKeys.candidateLearners(id))
  }
}

export function candidateParts(state: StateReader, id: string): CandidatePart[] {
  return readPages<CandidatePart>(state, learningKeys.candidateParts(id))
}

export function candidateIds(state: StateReader, model: string): readonly string[] {
  return readAt<readonly string[]>(state, learningKeys.candidatesOf(model)) ?? []
}

/** Those that nothing is decided of, or that wait for being published; reads no more of the others than that. */
export function openCandidatesOf(state: StateReader, model: string): Candidate[] {
  return candidateIds(state, model).flatMap(id => {
    const { status } = readStoredCandidate(state, id)!
    return status === 'measuring' || status === 'approved' ? [readCandidate(state, id)!] : []
  })
}

/** Those the state still knows, the newest last. */
export function candidatesOf(state: StateReader, model: string): Candidate[] {
  return candidateIds(state, model).map(id => readCandidate(state, id)!)
}

export function measurementsOf(state: StateReader, id: string): Measurement[] {
  const { measurements } = readStoredCandidate(state, id) ?? { measurements: 0 }
  return Array.from(
    { length: measurements },
    (_, number) => readAt<Measurement>(state, learningKeys.measurement(id, number))!
  )
}

export function pendingOf(state: StateReader, tensor: string): Pending | undefined {
  return readAt<Pending>(state, learningKeys.pending(tensor))
}

/** Forgets a candidate that is over, with everything that was said of it. */
export function forgetCandidate(state: StateView, id: string): void {
  const { measurements } = readStoredCandidate(state, id)!
  for (let number = 0; number < measurements; number++) deleteAt(state, learningKeys.measurement(id, number))
  deletePages(state, learningKeys.candidateParts(id))
  deletePages(state, learningKeys.candidateLearners(id))
  deleteAt(state, learningKeys.candidate(id))
}
