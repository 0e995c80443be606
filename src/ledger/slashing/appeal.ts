import type { Genesis, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { balanceOf, move, systemAccounts } from '../book/book.ts'
import { noteStake } from '../staking/bonds.ts'
import { jail, liftJail, readPool } from '../staking/index.ts'
import { noteSetMayChange } from '../staking/next-set.ts'
import { writePool } from '../staking/pool-records.ts'
import { timeOfLastCommit } from './committed-time.ts'
import { type Punishment, punishmentsOf, readPunishment, writePunishment } from './punishments.ts'

/**
 * Undoes a punishment that an appeal has found wrong: the ban is lifted unless another one stands, and what was burnt comes
 * back from the treasury, as far as that has it, to those who are bonded with the operator now. Throws PUNISHMENT_UNKNOWN,
 * PUNISHMENT_UNDONE.
 */
export function undoPunishment(state: StateView, _genesis: Genesis, id: string): Punishment {
  const punishment = readPunishment(state, id)
  if (punishment === undefined) throw new BlyanError('PUNISHMENT_UNKNOWN', { punishment: id })
  if (punishment.isUndone) throw new BlyanError('PUNISHMENT_UNDONE', { punishment: id })
  const { operator, burntUnits } = punishment
  const repaidUnits = atMost(burntUnits, balanceOf(state, systemAccounts.treasury, 'BLY'))
  giveBack(state, operator, repaidUnits)
  const undone = { ...punishment, isUndone: true, repaidUnits }
  writePunishment(state, undone)
  liftBan(state, operator)
  return undone
}

/** To the operator itself when nobody has anything bonded with it any more. */
function giveBack(state: StateView, operator: string, units: bigint): void {
  const pool = readPool(state, operator)
  if (pool === undefined || pool.shareUnits === 0n) move(state, systemAccounts.treasury, operator, 'BLY', units)
  else {
    move(state, systemAccounts.treasury, systemAccounts.bonded, 'BLY', units)
    writePool(state, { ...pool, stakeUnits: pool.stakeUnits + units })
    noteStake(state, operator)
    noteSetMayChange(state)
  }
}

/** What else it was punished for, and still has to wait for, keeps it out; so does what no punishment put it there for. */
function liftBan(state: StateView, operator: string): void {
  const reason = readPool(state, operator)?.jailReason ?? null
  if (reason === null || !punishmentsOf(state, operator).some(({ offence }) => offence === reason)) return
  liftJail(state, operator)
  const nowMs = timeOfLastCommit(state)
  for (const { offence, banUntilMs, isUndone } of punishmentsOf(state, operator))
    if (!isUndone && (banUntilMs === null || banUntilMs > nowMs))
      jail(state, { operator, untilMs: banUntilMs, reason: offence })
}

function atMost(units: bigint, most: bigint): bigint {
  if (units > most) return most
  return units
}
