import type { EventHandler, Genesis, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { requireMemberOperator } from '../../ledger/index.ts'
import { requireRound } from './checks.ts'
import { isMoreThanThird, weightsOf } from './contributions.ts'
import { readBarred } from './election.ts'
import { type LearningEvent, learningHandler } from './handler.ts'
import { barredRounds, chainLimits } from './limits.ts'
import { challengeSchema } from './payloads.ts'
import { readRoundPart, type StoredPart } from './result-records.ts'
import { changeRound, type StoredRound } from './round-records.ts'
import { advance, measureAgain } from './rounds.ts'
import { deleteAt, learningKeys, numberAt, readAt, writeAt } from './store.ts'
import type { LearningOffence } from './types.ts'

type Challenge = { readonly operator: string; readonly tensor: string | null }
type Result = NonNullable<StoredPart['result']>

/** `tile-challenge`: more than a third of the weight that says the same puts it in the place of a wrong result. */
export function challengeHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'tile-challenge',
    purpose: 'the operator of a validator whose replay of a result came to another tensor says so',
    genesis,
    schema: challengeSchema,
    apply: (event, payload) => {
      const { state, author } = event
      requireMemberOperator(state, genesis, author)
      const round = requireRound(event, payload, ['aggregating', 'measuring'])
      let [replaced, counted] = [0, 0]
      for (const { name, tensor: given } of payload.parts) {
        const part = readRoundPart(state, round.model, name)
        const tensor = given === part?.base ? null : given
        const result = part?.result
        // Others may have put some of them right meanwhile: the rest still counts.
        if (result === null || result === undefined || result.isReplaced || result.tensor === tensor) continue
        if (hasChallenged(event, round, name)) continue
        counted++
        if (isProven(event, round, name, tensor)) {
          replace(event, round, { name, part: part!, result, tensor })
          replaced++
        }
      }
      if (counted === 0)
        throw new BlyanError('CHALLENGE_WITHOUT_RESULT', { part: payload.parts[0]!.name, round: round.number })
      if (replaced > 0 && round.phase === 'measuring') measureAgain(event, round.model)
      advance(event, round.model)
    }
  })
}

function hasChallenged({ state, author }: LearningEvent, { model }: StoredRound, name: string): boolean {
  const challenges = readAt<readonly Challenge[]>(state, learningKeys.challenges(model, name)) ?? []
  return challenges.some(({ operator }) => operator === author)
}

/** Counts one more who says so. */
function isProven(
  { state, genesis, author }: LearningEvent,
  { model }: StoredRound,
  name: string,
  tensor: string | null
): boolean {
  const key = learningKeys.challenges(model, name)
  const before = readAt<readonly Challenge[]>(state, key) ?? []
  const challenges = [...before, { operator: author, tensor }]
  writeAt(state, key, challenges)
  const weights = weightsOf(state, genesis)
  const weight = challenges.reduce(
    (sum, one) => (one.tensor === tensor ? sum + (weights.get(one.operator) ?? 0) : sum),
    0
  )
  return isMoreThanThird(weight, weights)
}

function replace(
  event: LearningEvent,
  { model, number: round }: StoredRound,
  what: { readonly name: string; readonly part: StoredPart; readonly result: Result; readonly tensor: string | null }
): void {
  const { state, nowMs } = event
  const { name, part, result, tensor } = what
  const next: Result = { ...result, tensor, update: null, updateBytes: 0, isReplaced: true }
  writeAt(state, learningKeys.result(model, name), { base: part.base, result: next })
  const change = Number(tensor !== null) - Number(result.tensor !== null)
  changeRound(state, model, ({ changed }) => ({ changed: changed + change }))
  const barred = readBarred(state, model)
  if ((barred[result.author] ?? 0) >= round + barredRounds) return
  writeAt(state, learningKeys.barred(model), { ...barred, [result.author]: round + barredRounds })
  const challenges = readAt<readonly Challenge[]>(state, learningKeys.challenges(model, name))!
  writeOffence(state, {
    author: result.author,
    model,
    round,
    part: name,
    event: result.event,
    wrong: result.tensor,
    right: tensor,
    challengers: challenges.flatMap(one => (one.tensor === tensor ? [one.operator] : [])),
    atMs: nowMs
  })
}

/** One for an author and a round; the oldest are forgotten. */
function writeOffence(state: StateView, given: Omit<LearningOffence, 'number'>): void {
  const number = numberAt(state, learningKeys.offenceCount) + 1
  const offence: LearningOffence = { number, ...given }
  writeAt(state, learningKeys.offence(number), offence)
  state.set(learningKeys.offenceCount, number)
  deleteAt(state, learningKeys.offence(number - chainLimits.offences))
}
