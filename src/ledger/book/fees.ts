import type { Genesis, StateView } from '../../dag/index.ts'
import { parameterOf } from '../parameters.ts'
import { post, systemAccounts } from './book.ts'
import { share } from './coins.ts'

const million = 1_000_000n

/** Takes the fee of one event: a share is burnt, the rest is what rewards are paid from. Throws BALANCE_TOO_LOW. */
export function chargeFee(state: StateView, genesis: Genesis, author: string): void {
  const fee = parameterOf(state, genesis, 'feeUnits')
  if (fee === 0n) return
  const burnt = share(fee, parameterOf(state, genesis, 'feeBurntPpm'), million)
  post(state, [
    { account: author, coin: 'BLY', change: -fee },
    { account: systemAccounts.burnt, coin: 'BLY', change: burnt },
    { account: systemAccounts.rewardPool, coin: 'BLY', change: fee - burnt }
  ])
}
