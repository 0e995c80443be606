import { expertReward, scaled, validatorReward } from '../ledger/index.ts'
import type { SettlementView } from '../node/index.ts'

/** A number that comes out differently: what the network says, and what its own inputs come to. */
export type RewardDifference = {
  readonly period: number
  readonly of: string
  readonly number: 'rewardUnits' | 'paidUnits' | 'wantedUnits' | 'budget'
  readonly said: string
  readonly computed: string
}

/** Computes a settlement again from the numbers that stand in it: rewards, their sums, the scale, what was paid. */
export function recompute(settlement: SettlementView): RewardDifference[] {
  const found: RewardDifference[] = []
  const compare = (of: string, number: RewardDifference['number'], said: string, computed: bigint): void => {
    if (BigInt(said) !== computed)
      found.push({ period: settlement.period, of, number, said, computed: computed.toString() })
  }
  const { rounds, spanMs, speedLimitMs, untilMs, validators, experts, validatorScale, expertScale } = settlement
  const baseUnits = BigInt(settlement.baseUnits)
  for (const row of validators) {
    const work = { ...row, rounds, spanMs, penaltyUnits: BigInt(row.penaltyUnits) }
    compare(row.operator, 'rewardUnits', row.rewardUnits, validatorReward(work, { baseUnits, speedLimitMs }))
    compare(row.operator, 'paidUnits', row.paidUnits, scaled(BigInt(row.rewardUnits), scaleOf(validatorScale)))
  }
  for (const row of experts) {
    const work = { ...row, idleMs: untilMs - row.lastMs }
    const isVouched = row.scoredPpm >= settlement.expertScoredMinPpm
    const reward = isVouched ? expertReward(work, BigInt(settlement.expertBaseUnits)) : 0n
    const of = `${row.expert} of ${row.holder}`
    compare(of, 'rewardUnits', row.rewardUnits, reward)
    compare(of, 'paidUnits', row.paidUnits, scaled(BigInt(row.rewardUnits), scaleOf(expertScale)))
  }
  compare('validators', 'wantedUnits', validatorScale.wantedUnits, sum(validators))
  // Experts of old periods are forgotten before the settlement is.
  if (experts.length > 0) compare('experts', 'wantedUnits', expertScale.wantedUnits, sum(experts))
  compareBudget(settlement, compare)
  return found
}

/** Everything is paid that is wanted, the day allows, and the pool has. */
function compareBudget(
  { dayUnits, poolUnits, issuedUnits, validatorScale, expertScale }: SettlementView,
  compare: (of: string, number: 'budget', said: string, computed: bigint) => void
): void {
  const wanted = BigInt(validatorScale.wantedUnits) + BigInt(expertScale.wantedUnits)
  const limits = [wanted, BigInt(dayUnits), BigInt(poolUnits) + BigInt(issuedUnits)]
  const paid = BigInt(validatorScale.paidUnits) + BigInt(expertScale.paidUnits)
  compare(
    'both scales',
    'budget',
    paid.toString(),
    limits.reduce((least, units) => (units < least ? units : least))
  )
}

function scaleOf({ paidUnits, wantedUnits }: SettlementView['validatorScale']): { paid: bigint; wanted: bigint } {
  return { paid: BigInt(paidUnits), wanted: BigInt(wantedUnits) }
}

function sum(rows: readonly { readonly rewardUnits: string }[]): bigint {
  return rows.reduce((total, { rewardUnits }) => total + BigInt(rewardUnits), 0n)
}
