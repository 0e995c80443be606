import { keyProof, operatorOf, peerProof, readPool } from '../../ledger/index.ts'
import { medianOf } from '../measures.ts'
import { type Participant, participant } from '../participant.ts'
import type { Scenario } from '../scenario.ts'
import type { Random } from '../seeded-random.ts'
import type { GenesisHolder, GenesisOperator } from '../simulated-genesis.ts'
import type { Conduct } from '../simulated-network.ts'
import { wealthOf } from '../wealth.ts'
import { coinsOf, unitsOf, type World } from '../world.ts'

/** Hours after which an operator takes what it has earned. */
const claimHours = 24
const microDollars = 1_000_000

type Operator = {
  readonly account: Participant
  readonly validator: Participant
  readonly stakeUnits: bigint
  /** What its machine costs, in millionths of a dollar. */
  readonly costPerHour: number
  /** Waits outside, validates, or has given up. */
  stage: 'waiting' | 'in' | 'left'
  hoursOfLoss: number
  wealthUnits: bigint
}

/** Those who run validators: they stay as long as it pays. */
export class Operators {
  readonly #scenario: Scenario
  readonly #all: readonly Operator[]
  readonly #byAccount: ReadonlyMap<string, Operator>
  readonly #conducts = new Map<string, { readonly conduct: Conduct; readonly untilPeriod: number }>()
  #incomes: readonly number[] = []
  #profitable = 0

  constructor(scenario: Scenario, random: Random) {
    this.#scenario = scenario
    const { count, waiting, stakeBly, stakeSpreadPpm, costMicroDollarsPerHour, costSpreadPpm } = scenario.operators
    const around = (mean: number, spreadPpm: number): number => mean * (1 + ((random.next() * 2 - 1) * spreadPpm) / 1e6)
    this.#all = Array.from({ length: count + waiting }, (_, place) => ({
      account: participant(`operator ${place + 1}`),
      validator: participant(`validator ${place + 1}`),
      stakeUnits: unitsOf(around(stakeBly, stakeSpreadPpm)),
      costPerHour: around(costMicroDollarsPerHour, costSpreadPpm),
      stage: place < count ? 'in' : 'waiting',
      hoursOfLoss: 0,
      wealthUnits: 0n
    }))
    this.#byAccount = new Map(this.#all.map(operator => [operator.account.account, operator]))
  }

  get inGenesis(): readonly GenesisOperator[] {
    return this.#all.filter(({ stage }) => stage === 'in')
  }

  /** Who waits has its stake as a balance. */
  get holders(): readonly GenesisHolder[] {
    return this.#all.map(({ account, stage, stakeUnits }) => ({
      account,
      units: unitsOf(this.#scenario.operators.balanceBly) + (stage === 'waiting' ? stakeUnits : 0n),
      hasCoins: true
    }))
  }

  get accounts(): readonly Participant[] {
    return this.#all.map(({ account }) => account)
  }

  get leftCount(): number {
    return this.#all.filter(({ stage }) => stage === 'left').length
  }

  /** In dollars for an hour, of the middle one of those who validate. */
  get medianIncome(): number {
    return medianOf(this.#incomes)
  }

  get profitableShare(): number {
    return this.#incomes.length === 0 ? 0 : this.#profitable / this.#incomes.length
  }

  accountOf(operator: string): Participant | undefined {
    return this.#byAccount.get(operator)?.account
  }

  validatorOf(operator: string): Participant | undefined {
    return this.#byAccount.get(operator)?.validator
  }

  /** So many of those who validate behave like this from now on. */
  behave(world: World, conduct: Conduct, sharePpm: number, periods: number): void {
    const members = this.#members(world)
    const count = Math.round((members.length * sharePpm) / 1e6)
    for (const operator of members.slice(0, count))
      this.#conducts.set(operator.account.account, { conduct, untilPeriod: world.period + periods })
  }

  /** How the validator with this key behaves in a round of this period. */
  conductOf(world: World, consensusKey: string): Conduct {
    const operator = operatorOf(world.network.state, consensusKey) ?? ''
    const told = this.#conducts.get(operator)
    if (told !== undefined && told.untilPeriod > world.period) return told.conduct
    return world.random.happens(this.#scenario.operators.presentPpm) ? 'present' : 'absent'
  }

  /** At the beginning of a period: what the last one brought, and what follows from it. */
  act(world: World): void {
    const hours = this.#scenario.periodHours
    const incomes: number[] = []
    this.#profitable = 0
    for (const operator of this.#all) {
      const wealthUnits = wealthOf(world.network.state, operator.account.account)
      const incomeBly = coinsOf(wealthUnits - operator.wealthUnits)
      const isFirst = operator.wealthUnits === 0n
      operator.wealthUnits = wealthUnits
      if (operator.stage !== 'in' || isFirst) continue
      const incomePerHour = (incomeBly * world.blyMicroDollars) / hours
      incomes.push(incomePerHour / microDollars)
      if (incomePerHour > operator.costPerHour) this.#profitable++
      this.#weigh(world, operator, incomePerHour, hours)
    }
    if (incomes.length > 0) this.#incomes = incomes
    if (world.period > 1) this.#letIn(world)
  }

  #weigh({ network, period }: World, operator: Operator, incomePerHour: number, hours: number): void {
    const { account } = operator
    const pool = readPool(network.state, account.account)
    if (pool !== undefined && pool.jailedUntilMs !== null && pool.jailedUntilMs <= network.nowMs && !pool.isTombstoned)
      network.submit(account, 'operator-unjail', {})
    operator.hoursOfLoss = incomePerHour < operator.costPerHour ? operator.hoursOfLoss + hours : 0
    if (operator.hoursOfLoss >= this.#scenario.operators.patienceHours) {
      operator.stage = 'left'
      network.submit(account, 'operator-leave', {})
      return
    }
    const claimPeriods = Math.max(1, Math.floor(claimHours / hours))
    if (period % claimPeriods === 0) network.submit(account, 'earnings-claim', { operator: account.account })
  }

  /** Whoever waits joins, one in a period, when the middle operator earns more than it would cost. */
  #letIn({ network, blyMicroDollars }: World): void {
    const next = this.#all.find(({ stage }) => stage === 'waiting')
    if (next === undefined || this.medianIncome * microDollars <= next.costPerHour || blyMicroDollars === 0) return
    next.stage = 'in'
    joinAsOperator(network, next, this.#scenario.operators.commissionPpm)
    network.submit(next.account, 'stake', { operator: next.account.account, amount: next.stakeUnits.toString() })
  }

  #members({ network }: World): Operator[] {
    return network.memberKeys
      .map(key => this.#byAccount.get(operatorOf(network.state, key) ?? ''))
      .filter(operator => operator !== undefined)
  }
}

/** Hands in what makes an account the operator of a validator. */
export function joinAsOperator(
  network: World['network'],
  operator: { readonly account: Participant; readonly validator: Participant },
  commissionPpm: number
): void {
  const { account, validator } = operator
  const { digest } = network.genesis
  network.submit(account, 'operator-join', {
    ...keyProof(digest, account.account, validator.key),
    ...peerProof(digest, account.account, validator.key),
    name: account.name,
    origin: account.name,
    region: 'simulated',
    website: '',
    commissionBasisPoints: Math.round(commissionPpm / 100)
  })
}
