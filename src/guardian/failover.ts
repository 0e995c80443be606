import { noteGiftedObserved, numberOf, type RuleInput, schedule } from '../ledger/index.ts'
import { dissolveCouncil, readCouncil, seatCouncil } from './council.ts'
import { elect } from './election.ts'
import { type Failover, type FailoverStep, readFailover, writeFailover } from './failover-record.ts'
import { forgetLater, isWell, judgedHealth, settleHealth } from './health.ts'
import type { Health } from './observations.ts'
import { type Because, handOver, heldBy, holdingOf, ownerOf, type Responsibility } from './responsibilities.ts'

/** Agenda: a step of giving back. */
export const returnKind = 'failover-return'
/** Agenda: whether an elected holder is still degraded. */
export const degradedKind = 'degraded-holder'

/** Acts on a node's health once it has lasted. */
export function actOnHealth(input: RuleInput, subject: string): void {
  const change = settleHealth(input, subject)
  if (change !== undefined) {
    if (change === 'healthy' || change === 'failed') noteGiftedObserved(input.state, subject, change === 'healthy')
    actOnChange(input, subject, change)
  } else if (judgedHealth(input.state, input.genesis, subject).health === 'failed') replace(input, subject, 'failed')
}

/** An elected holder that does its duty badly for too long is replaced; the owner is only made ready for. */
export function actOnDegraded(input: RuleInput, id: string): void {
  const { state, genesis, nowMs } = input
  const { health, sinceMs } = judgedHealth(state, genesis, id)
  if (health !== 'degraded' || id === ownerOf(genesis)) return
  if (nowMs - sinceMs >= numberOf(state, genesis, 'degradedHolderMs')) replace(input, id, 'degraded')
}

/** One step back, the newest first; the next is due a while later, if the owner is well then. */
export function giveBackOne(input: RuleInput, id: string): void {
  const { state, genesis, nowMs } = input
  const failover = readFailover(state)
  if (failover?.stage !== 'returning' || String(failover.stepDueMs) !== id) return
  const owner = ownerOf(genesis)
  if (judgedHealth(state, genesis, owner).health !== 'healthy') {
    writeFailover(state, { ...failover, stage: 'active', stepDueMs: null })
    return
  }
  const step = failover.steps.at(-1)
  if (step === 'council') dissolveCouncil(input)
  else if (step !== undefined) giveBack(input, step, owner)
  const steps = failover.steps.slice(0, -1)
  if (steps.length === 0) writeFailover(state, undefined)
  else scheduleStep(input, { ...failover, steps }, nowMs + numberOf(state, genesis, 'returnStepMs'))
}

function actOnChange(input: RuleInput, subject: string, health: Health): void {
  const { state, genesis, nowMs } = input
  const failover = readFailover(state)
  if (health === 'failed') replace(input, subject, 'failed')
  else if (subject !== ownerOf(genesis)) {
    if (health === 'degraded')
      schedule(state, nowMs + numberOf(state, genesis, 'degradedHolderMs'), degradedKind, subject)
  } else if (health === 'healthy' && failover?.stage === 'active') scheduleStep(input, failover, nowMs)
}

/** Everything that a node holds goes to others; with the owner's, an emergency council is elected. */
function replace(input: RuleInput, subject: string, because: Because): void {
  const { state, genesis } = input
  const isOwner = subject === ownerOf(genesis)
  const given = heldBy(state, subject).filter(name => giveToAnother(input, name, because))
  if (!isOwner) return
  const before = readFailover(state)
  const steps: FailoverStep[] = [...(before?.steps ?? []).filter(step => step !== 'council'), ...given]
  if (readCouncil(state) !== undefined || seatCouncil(input)) steps.push('council')
  if (steps.length === 0) return
  writeFailover(state, { sinceMs: before?.sinceMs ?? input.nowMs, stage: 'active', steps, stepDueMs: null })
}

function giveToAnother(input: RuleInput, what: Responsibility, because: Because): boolean {
  const { state, genesis, nowMs } = input
  const { holder, term } = holdingOf(state, what)
  const owner = ownerOf(genesis)
  const not = isWell(state, genesis, owner) && readFailover(state) === undefined ? [holder] : [holder, owner]
  const to = elect(state, genesis, { responsibility: what, term: term + 1, not })
  if (to === undefined) return false
  handOver(state, { what, to, because, nowMs })
  forgetLater(input, holder)
  return true
}

function giveBack(input: RuleInput, what: Responsibility, owner: string): void {
  const { state, nowMs } = input
  const { holder } = holdingOf(state, what)
  if (holder === owner) return
  handOver(state, { what, to: owner, because: 'returned', nowMs })
  forgetLater(input, holder)
}

function scheduleStep({ state }: RuleInput, failover: Failover, dueMs: number): void {
  writeFailover(state, { ...failover, stage: 'returning', stepDueMs: dueMs })
  schedule(state, dueMs, returnKind, String(dueMs))
}
