import { BlyanError, type ErrorCode, isBlyanError } from '../../errors/index.ts'
import { balanceOf, move, systemAccounts } from '../book/book.ts'
import type { RuleInput } from '../book/rule.ts'
import { readPunishment, undoPunishment } from '../slashing/index.ts'
import { beginEmergency, checkEmergency } from './emergency.ts'
import { checkChanges } from './invariants.ts'
import { applyChanges } from './parameter-changes.ts'
import type { ProposalPayload } from './payloads.ts'
import type { Proposal } from './proposals.ts'
import { TrialState } from './trial-state.ts'
import { requireValidator } from './voters.ts'

export type Executed =
  | { readonly status: 'executed' | 'in-force'; readonly endsMs: number | null; readonly failure: null }
  | { readonly status: 'failed'; readonly endsMs: null; readonly failure: ErrorCode }

/** Whether it may be proposed by this account. Throws the code of what is wrong with it. */
export function checkProposal(input: RuleInput, proposer: string, payload: ProposalPayload): void {
  const { state, genesis } = input
  if (payload.kind === 'parameters') checkChanges(state, genesis, payload.changes)
  else if (payload.kind === 'appeal') checkAppeal(input, proposer, payload.punishment)
  else if (payload.kind === 'emergency') {
    requireValidator(state, genesis, proposer)
    checkEmergency(input, payload)
  }
}

/** Does what was voted, at every node alike: all of it, or nothing and why. */
export function execute(input: RuleInput, { id }: Proposal, payload: ProposalPayload): Executed {
  const state = new TrialState(input.state)
  try {
    const endsMs = act({ ...input, state }, id, payload)
    state.keep()
    return { status: endsMs === null ? 'executed' : 'in-force', endsMs, failure: null }
  } catch (error) {
    if (!isBlyanError(error)) throw error
    return { status: 'failed', endsMs: null, failure: error.code }
  }
}

function act(input: RuleInput, id: number, payload: ProposalPayload): number | null {
  const { state, genesis, nowMs } = input
  if (payload.kind === 'emergency') return beginEmergency(input, id, payload)
  if (payload.kind === 'parameters') applyChanges(state, genesis, payload.changes, { proposal: id, timeMs: nowMs })
  else if (payload.kind === 'payment') pay(input, payload)
  else if (payload.kind === 'appeal') undoPunishment(state, genesis, payload.punishment)
  return null
}

function pay({ state }: RuleInput, { to, coin, amount }: Extract<ProposalPayload, { kind: 'payment' }>): void {
  const { treasury } = systemAccounts
  const balance = balanceOf(state, treasury, coin)
  if (balance < BigInt(amount))
    throw new BlyanError('TREASURY_TOO_SHORT', { balance: balance.toString(), coin, amount })
  move(state, treasury, to, coin, BigInt(amount))
}

function checkAppeal({ state, nowMs }: RuleInput, proposer: string, punishment: string): void {
  const found = readPunishment(state, punishment)
  if (found === undefined || found.isUndone) throw new BlyanError('APPEAL_UNKNOWN_PUNISHMENT', { punishment })
  if (found.operator !== proposer) throw new BlyanError('APPEAL_NOT_YOURS', { punishment })
  const { appealUntilMs } = found
  if (nowMs > appealUntilMs)
    throw new BlyanError('APPEAL_TOO_LATE', { punishment, until: new Date(appealUntilMs).toISOString() })
}
