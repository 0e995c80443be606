import { balanceOf, holdIdOf, quoteOf, tariffs } from '../../ledger/index.ts'
import { type Participant, participant } from '../participant.ts'
import type { Scenario } from '../scenario.ts'
import type { GenesisHolder } from '../simulated-genesis.ts'
import { timesOf, unitsOf, type World } from '../world.ts'

/** What of its coins a user spends at once, at most. */
const spendParts = 200
const responseMs = 150

const kinds = Object.keys(tariffs) as (keyof typeof tariffs)[]

type Payment = {
  readonly network: World['network']
  readonly payer: Participant
  readonly payee: Participant
  readonly coin: string
  readonly units: bigint
  readonly service: { readonly kind: string; readonly expert: null; readonly calls: number; readonly amount: number }
}

/** Those who pay one another, and for services. */
export class Users {
  readonly #scenario: Scenario
  readonly accounts: readonly Participant[]
  #holds = 0

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.accounts = Array.from({ length: scenario.users.count }, (_, place) => participant(`user ${place + 1}`))
  }

  get holders(): readonly GenesisHolder[] {
    const units = unitsOf(this.#scenario.users.balanceBly)
    return this.accounts.map(account => ({ account, units, hasCoins: true }))
  }

  act(world: World, providers: readonly Participant[], metered: readonly Participant[]): void {
    if (this.accounts.length < 2) return
    const { users } = this.#scenario
    const { random, load } = world
    for (let left = timesOf(random, users.transfersPerPeriod * load); left > 0; left--) this.#transfer(world)
    if (providers.length === 0) return
    for (let left = timesOf(random, users.holdsPerPeriod * load); left > 0; left--)
      this.#buy(world, random.pick(providers))
    if (metered.length === 0) return
    for (let left = timesOf(random, users.chargesPerPeriod * load); left > 0; left--)
      this.#charge(world, random.pick(metered))
  }

  #transfer({ network, random }: World): void {
    const from = random.pick(this.accounts)
    const to = random.pick(this.accounts)
    const amount = this.#someOf(network, random, from)
    if (from === to || amount === 0n) return
    network.submit(from, 'transfer', { to: to.account, coin: 'BLY', amount: amount.toString() })
  }

  /** A service in two steps: offered, held for, delivered, paid. */
  #buy({ network, random }: World, payee: Participant): void {
    const payer = random.pick(this.accounts)
    const amount = this.#someOf(network, random, payer)
    if (payer === payee || amount === 0n) return
    const service = { kind: 'inference', expert: null, calls: 10, amount: 0 }
    this.#pay({ network, payer, payee, coin: 'BLY', units: amount, service })
  }

  /** A metered service of a gifted node, at the price and in the coin of its kind. */
  #charge({ network, random }: World, payee: Participant): void {
    const payer = random.pick(this.accounts)
    const kind = random.pick(kinds)
    const service = { kind, expert: null, calls: 1 + random.below(1000), amount: random.below(100) }
    const { coin, units } = quoteOf(network.state, network.genesis, kind, service)
    if (units > 0n) this.#pay({ network, payer, payee, coin, units, service })
  }

  #pay({ network, payer, payee, coin, units, service }: Payment): void {
    const key = `scenario-${++this.#holds}`
    const hold = holdIdOf(payee.account, key)
    const amount = units.toString()
    const { calls } = service
    const usage = { calls, amount: service.amount, responseMsTotal: calls * responseMs }
    network.submit(payee, 'hold-quote', { payer: payer.account, coin, amount, service, key })
    network.submit(payer, 'hold-authorise', { hold, amount })
    network.submit(payee, 'hold-capture', { hold, amount, usage })
    network.submit(payee, 'hold-credit', { hold })
  }

  #someOf(network: World['network'], random: World['random'], account: Participant): bigint {
    return (balanceOf(network.state, account.account, 'BLY') * BigInt(1 + random.below(10))) / BigInt(10 * spendParts)
  }
}
