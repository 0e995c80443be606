import { BlyanError } from '../../errors/index.ts'
import {
  type Punishment,
  type PunishmentEvidence,
  punishmentCount,
  readPool,
  readPunishment
} from '../../ledger/index.ts'
import type { LedgerAccess } from '../blyan-node.ts'

/** One punishment. Amounts are base units of BLY. */
export type SlashView = {
  readonly id: string
  readonly operator: string
  /** What its validator is called; null when it is gone. */
  readonly name: string | null
  /** Consensus key that did it. */
  readonly key: string
  readonly offence: string
  readonly epoch: number
  readonly time: string
  readonly penaltyPpm: number
  readonly burnt: string
  /** Until when it may not come back; null for ever. */
  readonly banUntil: string | null
  readonly appealUntil: string
  readonly state: 'standing' | 'undone'
  /** What came back from the treasury when it was undone. */
  readonly repaid: string
  /** An event that proves it, or all the numbers that were counted; times as milliseconds. */
  readonly evidence: PunishmentEvidence
}

/** The newest first; only those of one operator when one is given. Throws ECONOMY_NONE. */
export function slashViews(
  ledger: LedgerAccess,
  { operator, limit }: { readonly operator?: string | undefined; readonly limit: number }
): SlashView[] {
  requireEconomy(ledger)
  const found: SlashView[] = []
  for (let number = punishmentCount(ledger.state); number > 0 && found.length < limit; number--) {
    const punishment = readPunishment(ledger.state, String(number))
    // The newest are kept, so before the first that is forgotten there is none.
    if (punishment === undefined) break
    if (operator === undefined || punishment.operator === operator) found.push(viewOf(ledger, punishment))
  }
  return found
}

/** Throws ECONOMY_NONE, PUNISHMENT_UNKNOWN. */
export function slashView(ledger: LedgerAccess, id: string): SlashView {
  requireEconomy(ledger)
  const punishment = readPunishment(ledger.state, id)
  if (punishment === undefined) throw new BlyanError('PUNISHMENT_UNKNOWN', { punishment: id })
  return viewOf(ledger, punishment)
}

function requireEconomy({ genesis }: LedgerAccess): void {
  if (genesis.file.economy === undefined) throw new BlyanError('ECONOMY_NONE')
}

function viewOf({ state }: LedgerAccess, punishment: Punishment): SlashView {
  const { operator, timeMs, burntUnits, repaidUnits, banUntilMs, appealUntilMs, isUndone } = punishment
  return {
    id: punishment.id,
    operator,
    name: readPool(state, operator)?.name ?? null,
    key: punishment.key,
    offence: punishment.offence,
    epoch: punishment.epoch,
    time: new Date(timeMs).toISOString(),
    penaltyPpm: punishment.penaltyPpm,
    burnt: burntUnits.toString(),
    banUntil: banUntilMs === null ? null : new Date(banUntilMs).toISOString(),
    appealUntil: new Date(appealUntilMs).toISOString(),
    state: isUndone ? 'undone' : 'standing',
    repaid: repaidUnits.toString(),
    evidence: punishment.evidence
  }
}
