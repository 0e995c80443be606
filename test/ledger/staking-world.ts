import type { SigningKey } from '../../src/codec/index.ts'
import { closeEpoch } from '../../src/dag/core/validator-state.ts'
import { isSetChanging } from '../../src/dag/index.ts'
import {
  bondUnits,
  keyProof,
  type Pool,
  peerProof,
  readPool,
  requireStakeMatches
} from '../../src/ledger/staking/index.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, type WorldOptions } from './ledger-world.ts'

/** Short times, so that a test need not count days. */
export const stakingParameters = {
  periodMs: '60000',
  unbondingMs: '600000',
  feeUnits: '0',
  rewardBaseUnits: '0',
  downtimeAfterMs: '31536000000'
}
export const unbondingMs = 600_000
export const text = (coins: bigint): string => (coins * bly).toString()

/** A world of stake: operators of genesis, and whoever joins. */
export class StakingWorld extends LedgerWorld {
  #closings = 0

  constructor(options: WorldOptions = {}) {
    super({ ...options, parameters: { ...stakingParameters, ...options.parameters } })
  }

  joinPayload(account: SigningKey, name: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
    const { digest } = this.genesis
    return {
      ...keyProof(digest, accountOf(account), keyOf(`consensus ${name}`)),
      ...peerProof(digest, accountOf(account), keyOf(`node ${name}`)),
      name,
      origin: 'there',
      region: 'there',
      commissionBasisPoints: 1000,
      website: '',
      ...changes
    }
  }

  join(account: SigningKey, name: string, changes: Record<string, unknown> = {}): string {
    return this.apply(account, 'operator-join', this.joinPayload(account, name, changes))
  }

  stake(account: SigningKey, operator: SigningKey, coins: bigint): string {
    return this.apply(account, 'stake', { operator: accountOf(operator), amount: text(coins) })
  }

  unstake(account: SigningKey, operator: SigningKey, coins: bigint): string {
    return this.apply(account, 'unstake', { operator: accountOf(operator), amount: text(coins) })
  }

  cancel(account: SigningKey, entry: number): string {
    return this.apply(account, 'unstake-cancel', { entry })
  }

  claim(account: SigningKey, operator: SigningKey): string {
    return this.apply(account, 'earnings-claim', { operator: accountOf(operator) })
  }

  leave(account: SigningKey): string {
    return this.apply(account, 'operator-leave', {})
  }

  pool(operator: SigningKey): Pool | undefined {
    return readPool(this.state, accountOf(operator))
  }

  bonded(account: SigningKey, operator: SigningKey): bigint {
    return bondUnits(this.state, accountOf(account), accountOf(operator))
  }

  get names(): string[] {
    return this.members.map(member => member.name)
  }

  /** Closes the epoch when another set is wanted, as the executor does. Whether it did. */
  nextEpoch(): boolean {
    this.commit(1000)
    if (!isSetChanging(this.state)) return false
    closeEpoch(this.state, this.genesis, { round: this.#closings++ + 1000, timestampMs: this.nowMs })
    this.commit(1000)
    return true
  }

  check(): void {
    this.requireConserved()
    requireStakeMatches(this.state)
  }
}

export { bly, keyOf, operatorKey }
