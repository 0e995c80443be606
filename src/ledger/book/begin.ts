import type { Genesis, StateView } from '../../dag/index.ts'
import { balanceOf, move, systemAccounts } from './book.ts'
import { coins } from './coins.ts'
import { supplyOf } from './conservation.ts'

/** All of every coin, and who has it: accounts, their stake, the pools, and what is not issued yet. */
export function beginBook(state: StateView, genesis: Genesis): void {
  const { pools } = genesis.file.economy!
  const { unissued, bonded, validationPool, rewardPool, treasury } = systemAccounts
  for (const coin of coins) {
    const supply = supplyOf(genesis, coin)
    if (supply > 0n) state.set(`balance/${unissued}/${coin}`, supply.toString())
    const give = (account: string, units: string | undefined): void =>
      move(state, unissued, account, coin, BigInt(units ?? '0'))
    for (const { account, balance, stake, coins: others } of genesis.file.accounts) {
      give(account, coin === 'BLY' ? balance : others?.[coin])
      if (coin === 'BLY') give(bonded, stake)
    }
    give(validationPool, pools.validation[coin])
    give(rewardPool, pools.reward[coin])
    give(treasury, pools.treasury[coin])
  }
}

/** What people and pools have, without what is not issued and what is burnt. */
export function circulating(state: StateView, genesis: Genesis): bigint {
  const { unissued, burnt } = systemAccounts
  return supplyOf(genesis, 'BLY') - balanceOf(state, unissued, 'BLY') - balanceOf(state, burnt, 'BLY')
}
