import { z } from 'zod'
import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { move } from '../book/book.ts'
import { positiveAmount } from '../book/coins.ts'
import { eventKeyText, useEventKey } from '../book/event-keys.ts'
import { accountText, coinText } from '../book/fields.ts'
import { ledgerHandler } from '../book/ledger-handler.ts'

const schema = z.strictObject({
  to: accountText,
  amount: positiveAmount,
  coin: coinText.default('BLY'),
  memo: z.string().max(256).default(''),
  key: eventKeyText.default('')
})

/** `transfer` of a network with an economy: any coin, with a fee, and once for a key. */
export function coinTransferHandler(genesis: Genesis): EventHandler {
  return ledgerHandler({
    type: 'transfer',
    purpose: 'moves coins to another account, on chain C',
    genesis,
    schema,
    apply: (input, { to, amount, coin, key }) => {
      const { state, author } = input
      if (to === author) throw new BlyanError('TRANSFER_TO_SELF')
      useEventKey(input, key)
      move(state, author, to, coin, BigInt(amount))
    }
  })
}
