import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type Posting, post } from '../book/book.ts'
import { share } from '../book/coins.ts'
import { supplyOf } from '../book/conservation.ts'
import { emergencyMint } from '../book/issuance.ts'
import type { RuleInput } from '../book/rule.ts'
import { parameterOf } from '../parameters.ts'
import { forceNextEpoch, jail, liftJail, readPool } from '../staking/index.ts'
import { freeze, thaw, withoutFreeze } from './frozen-accounts.ts'
import { pauseOf, writePause } from './gate.ts'
import { adjustedBy, adjustRewards, restoreRewards, rewardsNow } from './parameter-changes.ts'
import type { EmergencyAction, ProposalPayload } from './payloads.ts'
import { type EmergencyActionName, emergencies, lastingActions } from './rules.ts'

export type EmergencyPayload = Extract<ProposalPayload, { kind: 'emergency' }>

const million = 1_000_000n
/** Shorter than this no pause makes sense, and no ban. */
const durationMinMs = 1000
const jailedKey = (id: number): string => `emergency/jailed/${id}`
const jailReason = (id: number): string => `emergency ${id}`

/** Whether it may be proposed. Throws EMERGENCY_*. */
export function checkEmergency(input: RuleInput, { emergency, action, durationMs }: EmergencyPayload): void {
  const { durationMaxMs, actions } = emergencies[emergency]
  if (!(actions as readonly EmergencyActionName[]).includes(action.name))
    throw new BlyanError('EMERGENCY_ACTION_NOT_ALLOWED', {
      emergency,
      action: action.name,
      allowed: actions.join(', ')
    })
  const [minMs, maxMs] = lastingActions.includes(action.name) ? [durationMinMs, durationMaxMs] : [0, 0]
  if (durationMs < minMs || durationMs > maxMs)
    throw new BlyanError('EMERGENCY_DURATION_WRONG', { action: action.name, durationMs, minMs, maxMs })
  checkAction(input, action)
}

/** Does it now, for `id`; gives when it ends, null for what is done once. Throws; the caller undoes what was written. */
export function beginEmergency(input: RuleInput, id: number, payload: EmergencyPayload): number | null {
  checkEmergency(input, payload)
  const { state, genesis, nowMs } = input
  const { action, durationMs } = payload
  const untilMs = nowMs + durationMs
  switch (action.name) {
    case 'pause_network':
      writePause(state, { proposal: id, untilMs })
      return untilMs
    case 'rollback':
      compensate(state, action.entries)
      return null
    case 'update_validator_set':
      takeFromSet(state, action.operators, { id, untilMs })
      return untilMs
    case 'reset_consensus':
      forceNextEpoch(state)
      return null
    case 'emergency_checkpoint':
      // Whatever the agenda does is followed by a checkpoint, and this was done by the agenda.
      return null
    case 'freeze_accounts':
      freeze(state, action.accounts, id)
      return untilMs
    case 'adjust_rewards':
      adjustRewards(state, BigInt(action.rewardBaseUnits), { proposal: id, timeMs: nowMs })
      return untilMs
    case 'emergency_mint':
      mint({ state, genesis, nowMs }, BigInt(action.amount))
      return null
  }
}

/** Undoes what lasted. */
export function endEmergency({ state }: RuleInput, id: number, { action }: EmergencyPayload): void {
  if (action.name === 'pause_network') writePause(state, undefined)
  else if (action.name === 'freeze_accounts') thaw(state, action.accounts, id)
  else if (action.name === 'adjust_rewards') restoreRewards(state)
  else if (action.name === 'update_validator_set') giveBackToSet(state, id)
}

function checkAction({ state, genesis }: RuleInput, action: EmergencyAction): void {
  if (action.name === 'pause_network') refuseSecond(pauseOf(state)?.proposal)
  else if (action.name === 'adjust_rewards') {
    refuseSecond(adjustedBy(state))
    refuseAbove(BigInt(action.rewardBaseUnits), rewardsNow(state, genesis))
  } else if (action.name === 'emergency_mint')
    refuseAbove(
      BigInt(action.amount),
      share(supplyOf(genesis, 'BLY'), parameterOf(state, genesis, 'emergencyMintPpm'), million)
    )
  else if (action.name === 'update_validator_set')
    for (const operator of action.operators)
      if (readPool(state, operator) === undefined) throw new BlyanError('EMERGENCY_OPERATOR_UNKNOWN', { operator })
}

/** Jails operators. Whoever is jailed for longer already stays so, for its own reason. */
function takeFromSet(
  state: StateView,
  operators: readonly string[],
  { id, untilMs }: { readonly id: number; readonly untilMs: number }
): void {
  const free = operators.filter(operator => readPool(state, operator)?.jailedUntilMs === null)
  state.set(jailedKey(id), free)
  for (const operator of operators)
    if ((readPool(state, operator)?.jailedUntilMs ?? 0) < untilMs)
      jail(state, { operator, untilMs, reason: jailReason(id) })
}

/** Whoever was free before is free again; whoever was punished meanwhile stays where it is. */
function giveBackToSet(state: StateView, id: number): void {
  for (const operator of state.get(jailedKey(id)) as readonly string[]) {
    const pool = readPool(state, operator)
    if (pool?.jailReason === jailReason(id) && !pool.isTombstoned) liftJail(state, operator)
  }
  state.delete(jailedKey(id))
}

/** One entry of all of them: it is booked whole or not at all. Frozen coins are those that it is there to bring back. */
function compensate(state: StateView, entries: Extract<EmergencyAction, { name: 'rollback' }>['entries']): void {
  const postings = entries.flatMap(({ from, to, coin, amount }): Posting[] => [
    { account: from, coin, change: -BigInt(amount) },
    { account: to, coin, change: BigInt(amount) }
  ])
  withoutFreeze(
    state,
    entries.map(({ from }) => from),
    () => post(state, postings)
  )
}

/** All of it, or nothing: what the year still allows may be less. */
function mint({ state, genesis, nowMs }: RuleInput, wanted: bigint): void {
  const issued = emergencyMint(state, genesis, wanted, nowMs)
  if (issued < wanted)
    throw new BlyanError('EMERGENCY_TOO_MUCH', { amount: wanted.toString(), most: issued.toString() })
}

function refuseSecond(proposal: number | undefined): void {
  if (proposal !== undefined) throw new BlyanError('EMERGENCY_IN_FORCE', { proposal })
}

function refuseAbove(amount: bigint, most: bigint): void {
  if (amount > most) throw new BlyanError('EMERGENCY_TOO_MUCH', { amount: amount.toString(), most: most.toString() })
}
