import {
  balanceOf,
  circulating,
  memberOperators,
  periodNow,
  poolOperators,
  punishmentCount,
  readPool,
  readPunishment,
  readSettlement,
  systemAccounts,
  totalBonded
} from '../ledger/index.ts'
import type { Attackers } from './actors/attackers.ts'
import { type Gifters, worthOf } from './actors/gifters.ts'
import type { Operators } from './actors/operators.ts'
import { giniOf, type Row } from './measures.ts'
import { coinsOf, type World } from './world.ts'

type Actors = { readonly operators: Operators; readonly gifters: Gifters; readonly attackers: Attackers }

/** What only ever grows, or is counted from the start. */
type Totals = {
  readonly unissued: number
  readonly burnt: number
  readonly validationPool: number
  readonly giftedPaid: number
  readonly transfers: number
  readonly charges: number
  readonly votes: number
}

/** Looks at a network at the end of every period, from outside: at what the ledger says and nothing else. */
export class Observer {
  readonly #actors: Actors
  readonly #giftedStart: bigint
  readonly #treasuryStart: number
  #before: Totals
  #settled = 0
  #punished = 0

  constructor(world: World, actors: Actors) {
    this.#actors = actors
    this.#giftedStart = actors.gifters.paidUnits(world)
    this.#treasuryStart = coinsOf(worthOf(world, systemAccounts.treasury))
    this.#before = this.#totals(world)
  }

  /** `standing` is the share of the period in which nothing was decided. */
  row(world: World, standing: number): Row {
    const { operators, gifters, attackers } = this.#actors
    const { state, genesis } = world.network
    const before = this.#before
    const now = this.#totals(world)
    this.#before = now
    const inCirculation = coinsOf(circulating(state, genesis))
    const bly = (account: string): number => coinsOf(balanceOf(state, account, 'BLY'))
    const members = memberOperators(state, genesis)
    const stakes = members.map(({ operator }) => coinsOf(readPool(state, operator)?.stakeUnits ?? 0n))
    const rewards = this.#newRewards(world)
    const burnt = now.burnt - before.burnt
    const slashed = this.#newlySlashed(world)
    const treasuryValue = coinsOf(worthOf(world, systemAccounts.treasury))
    return {
      circulating: inCirculation,
      issued: before.unissued - now.unissued,
      burnt,
      feesBurnt: burnt - slashed,
      slashed,
      stakedShare: inCirculation === 0 ? 0 : coinsOf(totalBonded(state)) / inCirculation,
      rewards,
      rewardPerValidator: members.length === 0 ? 0 : rewards / members.length,
      rewardPool: bly(systemAccounts.rewardPool),
      validationPool: now.validationPool,
      treasury: bly(systemAccounts.treasury),
      treasuryValue,
      validators: members.length,
      jailed: poolOperators(state).filter(operator => readPool(state, operator)!.jailedUntilMs !== null).length,
      operatorsLeft: operators.leftCount,
      profitableShare: operators.profitableShare,
      operatorIncome: operators.medianIncome,
      stakeGini: giniOf(stakes),
      largestWeight: largestWeight(members, new Set(attackers.operators)),
      standing,
      price: world.blyMicroDollars / 1e6,
      transfers: now.transfers - before.transfers,
      charges: now.charges - before.charges,
      giftedNodes: gifters.activeCount(world),
      giftedStaying: gifters.cameCount === 0 ? 0 : gifters.activeCount(world) / gifters.cameCount,
      giftedRewards: now.giftedPaid - before.giftedPaid,
      scalingReturn: now.giftedPaid === 0 ? 0 : (treasuryValue - this.#treasuryStart) / now.giftedPaid,
      votePayments: now.votes === before.votes ? 0 : Math.max(0, before.validationPool - now.validationPool),
      voteBudgetUsed:
        before.validationPool === 0
          ? 0
          : Math.max(0, before.validationPool - now.validationPool) / before.validationPool,
      attackerGain: attackers.gain(world)
    }
  }

  /** Of the settlements since it was last asked. */
  #newRewards({ network: { state, genesis } }: World): number {
    let units = 0n
    const settled = periodNow(state, genesis).number - 1
    for (; this.#settled < settled; this.#settled++)
      units += readSettlement(state, this.#settled + 1)?.budget.validators.paid ?? 0n
    return coinsOf(units)
  }

  #newlySlashed({ network: { state } }: World): number {
    let units = 0n
    for (; this.#punished < punishmentCount(state); this.#punished++)
      units += readPunishment(state, String(this.#punished + 1))?.burntUnits ?? 0n
    return coinsOf(units)
  }

  #totals(world: World): Totals {
    const { state, eventCounts } = world.network
    const applied = (type: string): number =>
      eventCounts.find(one => one.type === type && one.refusal === '')?.count ?? 0
    return {
      unissued: coinsOf(balanceOf(state, systemAccounts.unissued, 'BLY')),
      burnt: coinsOf(balanceOf(state, systemAccounts.burnt, 'BLY')),
      validationPool: coinsOf(balanceOf(state, systemAccounts.validationPool, 'BLY')),
      giftedPaid: coinsOf(this.#actors.gifters.paidUnits(world) - this.#giftedStart),
      transfers: applied('transfer'),
      charges: applied('hold-credit'),
      votes: applied('proposal-vote')
    }
  }
}

/** Of the votes; what attackers run counts as one. */
function largestWeight(
  members: readonly { readonly operator: string; readonly weight: number }[],
  attackers: ReadonlySet<string>
): number {
  const sum = members.reduce((total, { weight }) => total + weight, 0)
  const together = members.reduce((total, { operator, weight }) => total + (attackers.has(operator) ? weight : 0), 0)
  const largest = members.reduce((most, { weight }) => Math.max(most, weight), together)
  return sum === 0 ? 0 : largest / sum
}
