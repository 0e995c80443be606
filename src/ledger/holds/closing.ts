import type { StateView } from '../../dag/index.ts'
import { schedule } from '../book/agenda.ts'
import { move, systemAccounts } from '../book/book.ts'
import type { RuleInput } from '../book/rule.ts'
import { meterCredit } from '../gifted/meter.ts'
import { numberOf } from '../parameters.ts'
import { noteUsage } from '../rewards/usage.ts'
import { forgetHold, type Hold, type HoldStatus, isOver, readHold, writeHold } from './hold.ts'

/** Agenda: a hold expires, is credited, or is forgotten. */
export const holdDue = 'hold'

/** Puts the hold on the agenda for its time. */
export function scheduled(state: StateView, id: string, hold: Hold): Hold {
  schedule(state, hold.dueMs, holdDue, id)
  return hold
}

/** What a hold does by itself. Silence after delivery is consent: what was captured is credited. */
export function holdIsDue(input: RuleInput, id: string): void {
  const hold = readHold(input.state, id)
  // It has gone on since this was put on the agenda, and is there again for later.
  if (hold === undefined || input.nowMs < hold.dueMs) return
  if (isOver(hold)) forgetHold(input.state, id)
  else if (hold.status === 'captured') credit(input, id, hold)
  else closeHold(input, id, hold, { status: 'expired', reason: '' })
}

/** Pays the payee what was captured; the rest goes back to the payer. */
export function credit(input: RuleInput, id: string, hold: Hold): void {
  const { state, genesis, nowMs } = input
  const captured = BigInt(hold.captured!)
  const forPayee = meterCredit(state, genesis, hold, captured)
  move(state, systemAccounts.escrow, hold.payee, hold.coin, forPayee)
  move(state, systemAccounts.escrow, hold.payer!, hold.coin, BigInt(hold.authorised!) - captured)
  const { payee, usage, service } = hold
  const paidUnits = hold.coin === 'BLY' ? captured : 0n
  if (service.expert !== null)
    noteUsage(state, genesis, { expert: service.expert, holder: payee, ...usage!, paidUnits, nowMs })
  close(input, id, hold, { status: 'credited', reason: '' })
}

/** Ends a hold without payment: everything that is held goes back. */
export function closeHold(input: RuleInput, id: string, hold: Hold, end: HoldEnd): void {
  if (hold.authorised !== null)
    move(input.state, systemAccounts.escrow, hold.payer!, hold.coin, BigInt(hold.authorised))
  close(input, id, hold, end)
}

type HoldEnd = { readonly status: HoldStatus; readonly reason: string }

function close({ state, genesis, nowMs }: RuleInput, id: string, hold: Hold, { status, reason }: HoldEnd): void {
  const dueMs = nowMs + numberOf(state, genesis, 'holdKeptMs')
  writeHold(state, id, scheduled(state, id, { ...hold, status, reason, changedAtMs: nowMs, dueMs }))
}
