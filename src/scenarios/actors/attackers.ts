import { bytesToHex, sha256 } from '../../codec/index.ts'
import { encodeHeader, vertexSigningBytes } from '../../consensus/index.ts'
import { currentSet, encodeEvidence, keyTextOf, readEpoch } from '../../dag/index.ts'
import { balanceOf, openProposals, operatorOf, totalBonded } from '../../ledger/index.ts'
import { type Participant, participant } from '../participant.ts'
import type { Scenario, Shock } from '../scenario.ts'
import type { GenesisHolder } from '../simulated-genesis.ts'
import { wealthOf } from '../wealth.ts'
import { coinsOf, unitsOf, type World } from '../world.ts'
import { joinAsOperator, type Operators } from './operators.ts'

type ShockOf<Kind extends Shock['kind']> = Extract<Shock, { kind: Kind }>
type Whale = { readonly account: Participant; readonly validator: Participant }

/** BLY that stand ready for a whale, of each of its validators; enough for every share that a scenario may ask for. */
const feeUnits = unitsOf(2000)

/** Those who are up to something: what a scenario sends them to do. */
export class Attackers {
  readonly #whales: readonly Whale[]
  readonly #whaleUnits: bigint
  readonly #farmers: readonly Participant[]
  readonly #farming: ShockOf<'vote-farming'> | undefined
  readonly #startUnits: bigint

  constructor(scenario: Scenario) {
    const whale = scenario.shock.find(shock => shock.kind === 'whale')
    this.#farming = scenario.shock.find(shock => shock.kind === 'vote-farming')
    this.#whales = Array.from({ length: whale?.validators ?? 0 }, (_, place) => ({
      account: participant(`whale ${place + 1}`),
      validator: participant(`whale validator ${place + 1}`)
    }))
    this.#whaleUnits = whale === undefined ? 0n : whaleUnits(scenario, whale.sharePpm) / BigInt(whale.validators)
    this.#farmers = Array.from({ length: this.#farming?.voters ?? 0 }, (_, place) => participant(`farmer ${place + 1}`))
    this.#startUnits = this.holders.reduce((sum, { units }) => sum + units, 0n)
  }

  get holders(): readonly GenesisHolder[] {
    const farmerUnits = unitsOf(this.#farming?.stakeBly ?? 0) + feeUnits
    return [
      ...this.#whales.map(({ account }) => ({ account, units: this.#whaleUnits + feeUnits, hasCoins: false })),
      ...this.#farmers.map(account => ({ account, units: farmerUnits, hasCoins: false }))
    ]
  }

  get operators(): readonly string[] {
    return this.#whales.map(({ account }) => account.account)
  }

  /** What they have now beyond what they began with, in coins. */
  gain({ network }: World): number {
    const units = this.holders.reduce((sum, { account }) => sum + wealthOf(network.state, account.account), 0n)
    return coinsOf(units - this.#startUnits)
  }

  act(world: World): void {
    const farming = this.#farming
    if (farming === undefined) return
    const { network, period } = world
    if (period === farming.period) this.#stakeAll(world, farming)
    if (period <= farming.period || period > farming.period + farming.lasts) return
    const proposer = this.#farmers[period % this.#farmers.length]!
    network.submit(proposer, 'proposal-new', { kind: 'text', title: `nothing of interest ${period}`, text: '' })
    for (const proposal of openProposals(network.state, 'text'))
      for (const farmer of this.#farmers) network.submit(farmer, 'proposal-vote', { proposal, vote: 'abstain' })
  }

  /** As much as makes the wanted share of all stake, spread alike. */
  buyStake({ network }: World, { sharePpm, validators }: ShockOf<'whale'>): void {
    const wanted = (totalBonded(network.state) * BigInt(sharePpm)) / BigInt(1_000_000 - sharePpm)
    const each = wanted / BigInt(validators)
    for (const whale of this.#whales) {
      const { account } = whale.account
      const most = balanceOf(network.state, account, 'BLY') - feeUnits
      joinAsOperator(network, whale, 0)
      network.submit(whale.account, 'stake', { operator: account, amount: (each < most ? each : most).toString() })
    }
  }

  /** Members of the set sign two vertices for one slot, and somebody shows it. */
  signTwice({ network }: World, count: number, operators: Operators, reporter: Participant): void {
    const { state, genesis } = network
    const { epoch } = readEpoch(state, genesis)
    for (const [author, member] of currentSet(state, genesis).members.entries()) {
      if (author >= count) return
      const validator = operators.validatorOf(operatorOf(state, keyTextOf(member)) ?? '')
      if (validator === undefined) continue
      const signed = (timestampMs: number): { headerBytes: Uint8Array; signature: Uint8Array } => {
        const body = { eventCount: 0, bodyDigest: '00'.repeat(32), votes: [] }
        const headerBytes = encodeHeader({ epoch, round: 1, author, timestampMs, parents: [], ...body })
        const signing = vertexSigningBytes(genesis.digest, bytesToHex(sha256(headerBytes)))
        return { headerBytes, signature: validator.key.sign(signing) }
      }
      network.submitPayload(reporter, 'evidence', encodeEvidence(signed(1), signed(2)))
    }
  }

  #stakeAll({ network }: World, { stakeBly }: ShockOf<'vote-farming'>): void {
    const keys = network.memberKeys
    for (const [place, farmer] of this.#farmers.entries()) {
      const operator = operatorOf(network.state, keys[place % keys.length]!)
      if (operator !== undefined) network.submit(farmer, 'stake', { operator, amount: unitsOf(stakeBly).toString() })
    }
  }
}

/** Twice what would be needed if everybody else staked what they begin with. */
function whaleUnits({ operators, stakers }: Scenario, sharePpm: number): bigint {
  const others = (operators.count + operators.waiting) * (operators.stakeBly + operators.balanceBly)
  const all = others + stakers.count * stakers.balanceBly
  return unitsOf(Math.min(600_000_000, (2 * all * sharePpm) / (1_000_000 - sharePpm)))
}
