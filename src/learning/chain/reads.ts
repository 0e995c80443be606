import { type Genesis, type PartChain, readPartChain } from '../../dag/index.ts'
import { publicLearner, readCommit, readLearner, storedLearners } from './learner-records.ts'
import { newestTensor, partsOfGenesis } from './model-parts.ts'
import { publicRound, readStoredRound } from './round-records.ts'
import { learningKeys, readAt, type StateReader } from './store.ts'
import type { CommitRecord, Learner, Reveal, Round, RoundSummary } from './types.ts'

/** Models that somebody has joined. */
export function modelsLearnt(state: StateReader): readonly string[] {
  return readAt<readonly string[]>(state, learningKeys.models) ?? []
}

export function readRound(state: StateReader, model: string): Round | undefined {
  const round = readStoredRound(state, model)
  return round === undefined ? undefined : publicRound(round)
}

/** The last rounds that are over, oldest first. */
export function roundHistory(state: StateReader, model: string): readonly RoundSummary[] {
  return readAt<readonly RoundSummary[]>(state, learningKeys.history(model)) ?? []
}

export function learnersOf(state: StateReader, model: string): Learner[] {
  return storedLearners(state, model)
    .filter(({ isLeaving }) => !isLeaving)
    .map(publicLearner)
}

export function learnerOf(state: StateReader, model: string, account: string): Learner | undefined {
  const learner = readLearner(state, model, account)
  return learner === undefined || learner.isLeaving ? undefined : publicLearner(learner)
}

/** Of the round of now, in the order of the chain. */
export function commitsOf(state: StateReader, model: string): CommitRecord[] {
  const { commits } = readStoredRound(state, model) ?? { commits: 0 }
  return Array.from({ length: commits }, (_, place) => {
    const { region: _r, reveal, ...commit } = readCommit(state, model, place)
    return { ...commit, isRevealed: reveal !== null }
  })
}

/** Of the round of now, in the order of their commits. */
export function revealsOf(state: StateReader, model: string): Reveal[] {
  const { commits } = readStoredRound(state, model) ?? { commits: 0 }
  const found: Reveal[] = []
  for (let place = 0; place < commits; place++) {
    const { account, baseRound, tokens, region, reveal } = readCommit(state, model, place)
    if (reveal !== null) found.push({ account, baseRound, tokens, region, ...reveal })
  }
  return found
}

/** How the newest version of a part is made: a snapshot, then updates. Undefined where the state does not know its tensor. */
export function partChainOf(state: StateReader, genesis: Genesis, part: string): PartChain | undefined {
  const chain = readPartChain(state, part)
  if (chain !== undefined) return chain
  const snapshot = newestTensor(state, genesis, part)
  return snapshot === undefined ? undefined : { snapshot, updates: [] }
}

/** A version of a part with the round in which it was published; 0 for one from before. */
export type Base = { readonly tensor: string; readonly round: number }

/**
 * CID of the tensor that a part had when a round opened: what deltas of that round were trained from. Known for as many
 * rounds as a delta may be behind.
 */
export function baseOf(state: StateReader, genesis: Genesis, part: string, round: number): string | undefined {
  const bases = readAt<readonly Base[]>(state, learningKeys.bases(part)) ?? []
  const known = bases.findLast(base => base.round < round)
  if (known !== undefined) return known.tensor
  return bases.length === 0 ? newestTensor(state, genesis, part) : partsOfGenesis(genesis).get(part)?.tensor
}
