import { bytesToHex } from '../../codec/index.ts'
import type { Genesis } from '../../dag/index.ts'
import { digestOf } from './hashes.ts'
import { readLearner, type StoredLearner } from './learner-records.ts'
import { type ChainPart, matchesPart, partCountOf, partsOfModel } from './model-parts.ts'
import { readStoredRound, type StoredRound } from './round-records.ts'
import type { StateReader } from './store.ts'
import type { Assignment } from './types.ts'

/** Orders that were made last: a round asks for the same one again and again. */
const orders = new Map<string, readonly ChainPart[]>()
const ordersKept = 4

/** Parts of a model in the order of one round. */
export function orderOfRound(
  state: StateReader,
  genesis: Genesis,
  round: Pick<StoredRound, 'model' | 'seed'>
): readonly ChainPart[] {
  // A seed is of one round of one model of one network; parts may still be added while it runs.
  const key = `${round.seed} ${partCountOf(state, genesis, round.model)}`
  const known = orders.get(key)
  if (known !== undefined) return known
  const order = partsOfModel(state, genesis, round.model)
    .map(part => ({ part, at: bytesToHex(digestOf('order', round.seed, part.name)) }))
    .sort((one, other) => (one.at < other.at ? -1 : 1))
    .map(({ part }) => part)
  if (orders.size >= ordersKept) orders.delete(orders.keys().next().value!)
  orders.set(key, order)
  return order
}

/**
 * Parts that a learner works on: those it asks for, as many as it can hold. Learners begin at different places of the
 * order, so that all parts are worked on alike.
 */
export function partsFor(
  learner: Pick<StoredLearner, 'place' | 'parts' | 'bytesMax'>,
  round: Pick<StoredRound, 'model' | 'learners'>,
  order: readonly ChainPart[]
): readonly ChainPart[] {
  const wanted = order.filter(({ name }) => matchesPart(learner.parts, round.model, name))
  if (learner.bytesMax === 0) return wanted
  const first = Math.floor(((learner.place % round.learners) * wanted.length) / Math.max(1, round.learners))
  const found: ChainPart[] = []
  let leftBytes = learner.bytesMax
  for (const part of [...wanted.slice(first), ...wanted.slice(0, first)]) {
    if (part.bytes > leftBytes) continue
    found.push(part)
    leftBytes -= part.bytes
  }
  return found
}

/** What a learner does in the round of now; of one that did not join: what it would do. */
export function assignmentOf(state: StateReader, genesis: Genesis, model: string, account: string): Assignment {
  const round = readStoredRound(state, model)
  const learner = readLearner(state, model, account)
  const seed = bytesToHex(digestOf('learner', round?.seed ?? '', account))
  if (round === undefined || learner === undefined) return { parts: [], seed, slice: { index: 0, count: 1 } }
  const parts = partsFor(learner, round, orderOfRound(state, genesis, round))
  const count = Math.max(1, round.learners)
  return { parts: parts.map(({ name }) => name), seed, slice: { index: learner.place % count, count } }
}

/** Bytes that a delta of these parts may have: no codec needs a third of fp32, and each part has a head. */
export function deltaBytesMax(parts: readonly ChainPart[]): number {
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  return Math.ceil(bytes / 3) + 1024 * parts.length + 16 * 1024
}

/** Bytes that the delta of a learner may have in the round of now. */
export function deltaBytesMaxOf(state: StateReader, genesis: Genesis, model: string, account: string): number {
  const round = readStoredRound(state, model)
  const learner = readLearner(state, model, account)
  if (round === undefined || learner === undefined) return deltaBytesMax([])
  return deltaBytesMax(partsFor(learner, round, orderOfRound(state, genesis, round)))
}
