import { balanceOf, bondsOf, memberOperators } from '../../ledger/index.ts'
import { type Participant, participant } from '../participant.ts'
import type { Scenario } from '../scenario.ts'
import type { GenesisHolder } from '../simulated-genesis.ts'
import { unitsOf, type World } from '../world.ts'

/** What a staker keeps for fees. */
const keptUnits = unitsOf(10)

/** Those who bond with validators and do not run one. */
export class Stakers {
  readonly #scenario: Scenario
  readonly accounts: readonly Participant[]

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.accounts = Array.from({ length: scenario.stakers.count }, (_, place) => participant(`staker ${place + 1}`))
  }

  get holders(): readonly GenesisHolder[] {
    const units = unitsOf(this.#scenario.stakers.balanceBly)
    return this.accounts.map(account => ({ account, units, hasCoins: false }))
  }

  /** Some of them look at what they have: they bond what is free, move away from validators that left, take earnings. */
  act({ network, random }: World): void {
    const { state, genesis } = network
    const members = memberOperators(state, genesis).map(({ operator }) => operator)
    if (members.length === 0) return
    for (const account of this.accounts) {
      if (!random.happens(this.#scenario.stakers.activePpm)) continue
      const free = balanceOf(state, account.account, 'BLY') - keptUnits
      if (free > keptUnits)
        network.submit(account, 'stake', { operator: random.pick(members), amount: (free / 2n).toString() })
      for (const { operator, units } of bondsOf(state, account.account)) {
        if (members.includes(operator)) network.submit(account, 'earnings-claim', { operator })
        else if (units > 0n) network.submit(account, 'unstake', { operator, amount: units.toString() })
      }
    }
  }
}
