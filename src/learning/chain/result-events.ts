import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { deltaBytesMax } from './assignment.ts'
import { requireRound } from './checks.ts'
import { edgeOf, mayBeEdge, primariesOf } from './election.ts'
import { type LearningEvent, learningHandler } from './handler.ts'
import { readCommit, readLearner } from './learner-records.ts'
import { chainLimits } from './limits.ts'
import { partsOfModel } from './model-parts.ts'
import { aggregateSchema, edgeSchema } from './payloads.ts'
import { readRoundPart } from './result-records.ts'
import { changeRound, type StoredRound } from './round-records.ts'
import { advance } from './rounds.ts'
import { learningSettings } from './settings.ts'
import { learningKeys, readAt, writeAt } from './store.ts'
import type { AcceptedDelta, Aggregate, EdgeResult, RefusedDelta } from './types.ts'

export function resultHandlers(genesis: Genesis): EventHandler[] {
  return [aggregateHandler(genesis), edgeHandler(genesis)]
}

type Lists = { readonly accepted: readonly AcceptedDelta[]; readonly refused: readonly RefusedDelta[] }

function aggregateHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'tile-aggregate',
    purpose: 'the primary of parts, or a backup, gives what came of the deltas of a round',
    genesis,
    schema: aggregateSchema,
    apply: (event, payload) => {
      const { state, author } = event
      const { model, parts, update, updateBytes, accepted, refused, edges } = payload
      const round = requireRound(event, payload, ['aggregating'])
      const open = parts.filter(({ name }) => isOpen(event, round, name))
      if (open.length === 0) throw new BlyanError('RESULT_EXISTS', { part: parts[0]!.name, round: round.number })
      requireDeltas(event, round, payload, undefined)
      requireSize(event, model, updateBytes)
      for (const { region, update: sum } of edges)
        if (readAt<EdgeResult>(state, learningKeys.edge(model, region))?.update !== sum)
          throw new BlyanError('EDGE_UNKNOWN', { region, round: round.number })
      const number = round.aggregates
      const aggregate: Aggregate = { number, author, event: event.event, update, updateBytes, accepted, refused, edges }
      writeAt(state, learningKeys.aggregate(model, number), aggregate)
      let changed = 0
      for (const { name, tensor: given } of open) {
        requireTurn(event, round, name)
        const { base } = readRoundPart(state, model, name)!
        const tensor = given === base ? null : given
        if (tensor !== null && accepted.length + edges.length === 0)
          throw new BlyanError('RESULT_WITHOUT_DELTAS', { part: name })
        const files = tensor === null ? { update: null, updateBytes: 0 } : { update, updateBytes }
        const result = { tensor, ...files, author, event: event.event, aggregate: number, isReplaced: false }
        writeAt(state, learningKeys.result(model, name), { base, result })
        if (tensor !== null) changed++
      }
      changeRound(state, model, before => ({
        aggregates: number + 1,
        results: before.results + open.length,
        changed: before.changed + changed
      }))
      advance(event, model)
    }
  })
}

/** False where there is a result already. Throws RESULT_PART_UNKNOWN. */
function isOpen({ state }: LearningEvent, { model, number }: StoredRound, name: string): boolean {
  const part = readRoundPart(state, model, name)
  if (part === undefined) throw new BlyanError('RESULT_PART_UNKNOWN', { part: name, round: number })
  return part.result === null
}

/** The primary at once, each backup when those before had their time. Throws RESULT_NOT_ELECTED, RESULT_TOO_EARLY. */
function requireTurn({ state, genesis, author, nowMs }: LearningEvent, round: StoredRound, part: string): void {
  const place = primariesOf(state, genesis, round.model, part).indexOf(author)
  if (place < 0) throw new BlyanError('RESULT_NOT_ELECTED', { account: author, part, round: round.number })
  if (place === 0) return
  const { backupMs } = learningSettings(state, genesis)
  requireTime(round.dueAtMs + (place - 1) * backupMs, nowMs, { account: author, part, place })
}

function edgeHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'edge-aggregate',
    purpose: 'the edge aggregator of a region gives the sum of its deltas',
    genesis,
    schema: edgeSchema,
    apply: (event, payload) => {
      const { state, author, nowMs } = event
      const { model, region, update, updateBytes, accepted, refused } = payload
      const round = requireRound(event, payload, ['aggregating'])
      if (!mayBeEdge(state, genesis, model, author))
        throw new BlyanError('EDGE_NOT_ELECTED', { account: author, region })
      if (round.regions.includes(region))
        throw new BlyanError('RESULT_EXISTS', { part: `region ${region}`, round: round.number })
      if (round.regions.length >= chainLimits.regionsOfRound)
        throw new BlyanError('LEARNING_FULL', { what: 'regions of a round', limit: chainLimits.regionsOfRound })
      const place = edgeOf(state, genesis, model, region).indexOf(author)
      if (place < 0) throw new BlyanError('EDGE_NOT_ELECTED', { account: author, region })
      const { backupMs } = learningSettings(state, genesis)
      requireTime(round.phaseAtMs + place * backupMs, nowMs, { account: author, part: `region ${region}`, place })
      requireDeltas(event, round, payload, region)
      requireSize(event, model, updateBytes)
      const sum: EdgeResult = { region, author, event: event.event, update, updateBytes, accepted, refused }
      writeAt(state, learningKeys.edge(model, region), sum)
      changeRound(state, model, ({ regions }) => ({ regions: [...regions, region] }))
    }
  })
}

/** Others fetch what an event names, as large as it says: no more than all parts can take. Throws DELTA_TOO_LARGE. */
function requireSize({ state, genesis }: LearningEvent, model: string, sizeBytes: number): void {
  const limitBytes = deltaBytesMax(partsOfModel(state, genesis, model))
  if (sizeBytes > limitBytes) throw new BlyanError('DELTA_TOO_LARGE', { sizeBytes, limitBytes })
}

function requireTime(
  turnMs: number,
  nowMs: number,
  who: { readonly account: string; readonly part: string; readonly place: number }
): void {
  if (nowMs < turnMs) throw new BlyanError('RESULT_TOO_EARLY', { ...who, waitMs: turnMs - nowMs })
}

/**
 * Each delta that is spoken of was revealed in this round (and region), is named once, and counts as its age says: nobody
 * gives somebody more. Throws RESULT_DELTA_UNKNOWN, RESULT_WEIGHT_WRONG.
 */
function requireDeltas(
  { state }: LearningEvent,
  { model, number }: StoredRound,
  { accepted, refused }: Lists,
  region: string | undefined
): void {
  const named = new Set<string>()
  const weights = new Map(accepted.map(({ account, weightPpm }) => [account, weightPpm]))
  for (const { account, delta } of [...accepted, ...refused]) {
    const learner = readLearner(state, model, account)
    const commit = learner?.lastCommitRound === number ? readCommit(state, model, learner.commitPlace) : undefined
    const isRevealed = commit?.reveal?.delta === delta && (region === undefined || commit.region === region)
    if (!isRevealed || named.has(account)) throw new BlyanError('RESULT_DELTA_UNKNOWN', { account, round: number })
    named.add(account)
    const weightPpm = weights.get(account)
    const wanted = Math.floor(1_000_000 / (1 + number - commit!.baseRound))
    if (weightPpm !== undefined && weightPpm !== wanted)
      throw new BlyanError('RESULT_WEIGHT_WRONG', { account, round: number, weightPpm, wanted })
  }
}
