import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'

/** Reads are enough. */
export type StateReader = Pick<StateView, 'get'>

/** Keys of the state that are learning's. */
export const learningKeys = {
  models: 'learning/models',
  round: (model: string): string => `learning/round/${model}`,
  history: (model: string): string => `learning/history/${model}`,
  learnerCount: (model: string): string => `learning/learners/${model}`,
  learner: (model: string, account: string): string => `learning/learner/${model}/${account}`,
  place: (model: string, place: number): string => `learning/place/${model}/${place}`,
  commit: (model: string, place: number): string => `learning/commit/${model}/${place}`,
  electors: (model: string): string => `learning/electors/${model}`,
  barred: (model: string): string => `learning/barred/${model}`,
  parts: (model: string): string => `learning/parts/${model}`,
  roundParts: (model: string): string => `learning/round-parts/${model}`,
  result: (model: string, part: string): string => `learning/result/${model}/${part}`,
  aggregate: (model: string, number: number): string => `learning/aggregate/${model}/${number}`,
  edge: (model: string, region: string): string => `learning/edge/${model}/${region}`,
  challenges: (model: string, part: string): string => `learning/challenges/${model}/${part}`,
  candidateCount: 'learning/candidates',
  candidatesOf: (model: string): string => `learning/candidates/${model}`,
  candidate: (id: string): string => `learning/candidate/${id}`,
  candidateParts: (id: string): string => `learning/candidate-parts/${id}`,
  candidateLearners: (id: string): string => `learning/candidate-learners/${id}`,
  measurement: (id: string, number: number): string => `learning/measurement/${id}/${number}`,
  /** A tensor that waits for a verdict or for its block. */
  pending: (tensor: string): string => `learning/pending/${tensor}`,
  /** Newest versions of a part with the round in which each was published. */
  bases: (part: string): string => `learning/bases/${part}`,
  account: (account: string): string => `learning/account/${account}`,
  corpora: 'learning/corpora',
  corpus: (account: string): string => `learning/corpus/${account}`,
  shard: (shard: string): string => `learning/shard/${shard}`,
  offenceCount: 'learning-offences',
  offence: (number: number): string => `learning-offence/${number}`
} as const

export function readAt<T>(state: StateReader, key: string): T | undefined {
  return state.get(key) as T | undefined
}

export function writeAt(state: StateView, key: string, value: unknown): void {
  state.set(key, value as CanonicalValue)
}

export function deleteAt(state: StateView, key: string): void {
  if (state.get(key) !== undefined) state.delete(key)
}

export function numberAt(state: StateReader, key: string): number {
  return readAt<number>(state, key) ?? 0
}

/** Items of one value of a long list. */
const itemsOfPage = 128

/** A list that may be longer than one value of the state can be. */
export function readPages<T>(state: StateReader, key: string): T[] {
  const items: T[] = []
  const count = numberAt(state, key)
  for (let page = 0; page * itemsOfPage < count; page++)
    items.push(...(readAt<readonly T[]>(state, pageKey(key, page)) ?? []))
  return items
}

export function pagesLength(state: StateReader, key: string): number {
  return numberAt(state, key)
}

export function writePages<T>(state: StateView, key: string, items: readonly T[]): void {
  deletePages(state, key)
  if (items.length === 0) return
  state.set(key, items.length)
  for (let page = 0; page * itemsOfPage < items.length; page++)
    writeAt(state, pageKey(key, page), items.slice(page * itemsOfPage, (page + 1) * itemsOfPage))
}

export function appendToPages<T>(state: StateView, key: string, item: T): void {
  const count = numberAt(state, key)
  const page = Math.floor(count / itemsOfPage)
  const items = readAt<readonly T[]>(state, pageKey(key, page)) ?? []
  writeAt(state, pageKey(key, page), [...items, item])
  state.set(key, count + 1)
}

export function deletePages(state: StateView, key: string): void {
  const count = numberAt(state, key)
  for (let page = 0; page * itemsOfPage < count; page++) deleteAt(state, pageKey(key, page))
  deleteAt(state, key)
}

function pageKey(key: string, page: number): string {
  return `${key}/page/${page}`
}
