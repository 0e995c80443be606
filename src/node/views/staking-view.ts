import { currentSet, keyTextOf, setAfter } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import {
  bondsOf,
  claimableBy,
  entryUnits,
  numberOf,
  operatorOf,
  type Pool,
  parameterOf,
  poolOperators,
  presentPpm,
  readPool,
  selfStakeOf,
  totalBonded,
  unbondingOf
} from '../../ledger/index.ts'
import type { LedgerAccess } from '../blyan-node.ts'
import type { OperatorView, StakeRulesView, StakeView } from '../staking-types.ts'

type Access = Pick<LedgerAccess, 'state' | 'genesis' | 'account'>

/** Who answers for which validator: those from whom sets are made, and this node's own account. Empty without an economy. */
export function operatorsView(access: Access): OperatorView[] {
  const { state, account, genesis } = access
  if (genesis.file.economy === undefined) return []
  return [...new Set([...poolOperators(state), account])]
    .map(operator => readPool(state, operator))
    .filter(pool => pool !== undefined)
    .map(pool => operatorView(access, pool))
}

/** What decides who validates; null where approvals do. */
export function stakeRulesView({ state, genesis }: Access): StakeRulesView | null {
  if (genesis.file.economy === undefined) return null
  return {
    weights: genesis.file.economy.weights,
    selfStakeMin: parameterOf(state, genesis, 'selfStakeMinUnits').toString(),
    bondMin: parameterOf(state, genesis, 'bondMinUnits').toString(),
    validatorsMax: numberOf(state, genesis, 'validatorsMax'),
    unbondingMs: numberOf(state, genesis, 'unbondingMs'),
    periodMs: numberOf(state, genesis, 'periodMs'),
    totalBonded: totalBonded(state).toString()
  }
}

/** One operator by its account, its validator's name, or any key its validator has or had. Throws OPERATOR_NOT_FOUND, OPERATOR_NAME_SHARED. */
export function findOperator(access: Access, wanted: string): OperatorView {
  const { state } = access
  const pool = readPool(state, wanted) ?? readPool(state, operatorOf(state, wanted) ?? '')
  if (pool !== undefined) return operatorView(access, pool)
  const named = operatorsView(access).filter(operator => operator.name === wanted)
  if (named.length > 1)
    throw new BlyanError('OPERATOR_NAME_SHARED', { name: wanted, accounts: named.map(one => one.operator).join(', ') })
  if (named[0] === undefined) throw new BlyanError('OPERATOR_NOT_FOUND', { name: wanted })
  return named[0]
}

/** What an account has staked, where, and what is on its way out. */
export function stakeView(access: Access, account: string): StakeView {
  const { state } = access
  const nameOf = (operator: string): string => readPool(state, operator)?.name ?? ''
  const operators = bondsOf(state, account)
  const isOperator = readPool(state, account) !== undefined
  const listed = isOperator && !operators.some(bond => bond.operator === account)
  const bonds = listed ? [...operators, { operator: account, units: 0n }] : operators
  return {
    account,
    total: operators.reduce((sum, { units }) => sum + units, 0n).toString(),
    bonds: bonds.map(({ operator, units }) => {
      const { earned, commission } = claimableBy(state, account, operator)
      return {
        operator,
        name: nameOf(operator),
        amount: units.toString(),
        earned: earned.toString(),
        commission: commission.toString()
      }
    }),
    unbonding: unbondingOf(state, account).map(entry => ({
      number: entry.number,
      operator: entry.operator,
      name: nameOf(entry.operator),
      amount: entryUnits(state, entry).toString(),
      began: timeText(entry.beganMs),
      free: timeText(entry.freeMs)
    }))
  }
}

function operatorView({ state, genesis, account }: Access, pool: Pool): OperatorView {
  const { members } = currentSet(state, genesis)
  const keysOf = (set: typeof members): string[] => set.map(keyTextOf)
  const member = members.find(one => operatorOf(state, keyTextOf(one)) === pool.operator)
  const total = members.reduce((sum, { weight }) => sum + weight, 0)
  const next = setAfter(state, genesis, [])
  // The state follows a new set with the first commit of its epoch.
  const status = member !== undefined ? 'bonded' : pool.status === 'bonded' ? 'unbonding' : pool.status
  return {
    operator: pool.operator,
    name: pool.name,
    key: pool.key,
    peerId: pool.peerId,
    origin: pool.origin,
    region: pool.region,
    website: pool.website,
    commissionBasisPoints: pool.commissionBasisPoints,
    stake: pool.stakeUnits.toString(),
    selfStake: selfStakeOf(state, pool.operator).toString(),
    state: pool.isTombstoned ? 'tombstoned' : pool.jailedUntilMs === null ? status : 'jailed',
    status,
    unbonded: timeText(pool.unbondedAtMs),
    jailedUntil: pool.isTombstoned ? null : timeText(pool.jailedUntilMs),
    jailReason: pool.jailReason,
    isLeaving: pool.isLeaving,
    isMember: member !== undefined,
    inNextSet: keysOf(next).includes(pool.key),
    weight: member?.weight ?? null,
    presentPpm: member === undefined ? null : presentPpm(state, pool.operator),
    hasThird: member !== undefined && members.length > 1 && member.weight * 3 > total,
    isOwn: pool.operator === account
  }
}

function timeText(timeMs: number): string
function timeText(timeMs: number | null): string | null
function timeText(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString()
}
