import type { RuleInput } from '../book/rule.ts'
import { addBond } from './bonds.ts'
import { emptyPool } from './operator-events.ts'
import { claimIdentity, listPool, writePool } from './pool-records.ts'

/** The operators of genesis, with the stake that genesis gives their accounts. */
export function beginPools({ state, genesis, nowMs }: RuleInput): void {
  const { validators, accounts, economy } = genesis.file
  const stakes = new Map(accounts.map(({ account, stake }) => [account, BigInt(stake)]))
  for (const { name, publicKey, peerId, origin, region } of validators) {
    const { account, commissionBasisPoints } = economy!.operators.find(one => one.validator === publicKey)!
    const made = {
      ...emptyPool(account, publicKey, peerId, nowMs),
      name,
      origin,
      region,
      commissionBasisPoints,
      status: 'bonded' as const
    }
    writePool(state, made)
    claimIdentity(state, made)
    const units = stakes.get(account) ?? 0n
    listPool(state, units > 0n ? addBond(state, account, made, units) : made, true)
  }
}
