import { readStoredRound } from './round-records.ts'
import { learningKeys, numberAt, readAt, readPages, type StateReader } from './store.ts'
import type { Aggregate, EdgeResult, LearningOffence, PartResult } from './types.ts'

/** A part of a round: what deltas are added to, and what came of it. */
export type StoredPart = { readonly base: string; readonly result: Omit<PartResult, 'name' | 'base'> | null }

/** Parts of the round of now, in order; none before it aggregates. */
export function roundParts(state: StateReader, model: string): string[] {
  return readPages<string>(state, learningKeys.roundParts(model))
}

export function readRoundPart(state: StateReader, model: string, name: string): StoredPart | undefined {
  return readAt<StoredPart>(state, learningKeys.result(model, name))
}

/** Results of the round of now. */
export function resultsOf(state: StateReader, model: string): PartResult[] {
  return roundParts(state, model).flatMap(name => {
    const { base, result } = readRoundPart(state, model, name)!
    return result === null ? [] : [{ name, base, ...result }]
  })
}

/** What primaries and backups said in the round of now, in order. */
export function aggregatesOf(state: StateReader, model: string): Aggregate[] {
  const { aggregates } = readStoredRound(state, model) ?? { aggregates: 0 }
  return Array.from({ length: aggregates }, (_, number) => readAggregate(state, model, number))
}

export function readAggregate(state: StateReader, model: string, number: number): Aggregate {
  return readAt<Aggregate>(state, learningKeys.aggregate(model, number))!
}

/** Sums of regions in the round of now. */
export function edgesOf(state: StateReader, model: string): EdgeResult[] {
  const { regions } = readStoredRound(state, model) ?? { regions: [] }
  return regions.map(region => readAt<EdgeResult>(state, learningKeys.edge(model, region))!)
}

/** The newest, oldest first. */
export function learningOffences(state: StateReader): LearningOffence[] {
  const count = numberAt(state, learningKeys.offenceCount)
  const found: LearningOffence[] = []
  for (let number = count; number > 0; number--) {
    const offence = readAt<LearningOffence>(state, learningKeys.offence(number))
    if (offence === undefined) break
    found.unshift(offence)
  }
  return found
}

/** Whether somebody came to another result than the one a part of the round of now has. */
export function isChallenged(state: StateReader, model: string, name: string): boolean {
  return state.get(learningKeys.challenges(model, name)) !== undefined
}
