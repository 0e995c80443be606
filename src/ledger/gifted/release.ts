import type { StateView } from '../../dag/index.ts'
import { move, systemAccounts } from '../book/book.ts'
import { giveGrantBack } from './growth.ts'
import { forgetPayment } from './incentives.ts'
import { type GiftedNode, removeGifted } from './node.ts'

/** Off the list: its deposit goes back to it, and what the treasury held for it to the treasury. */
export function releaseGifted(state: StateView, node: GiftedNode): void {
  removeGifted(state, node.account)
  forgetPayment(state, node.account)
  move(state, systemAccounts.escrow, node.account, 'BLY', BigInt(node.depositUnits))
  giveGrantBack(state, node)
}
