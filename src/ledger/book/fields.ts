import { z } from 'zod'
import { hasFormOfPublicKey } from '../../codec/index.ts'
import { refuse } from '../payload.ts'
import { type Coin, coins, isCoin } from './coins.ts'

/** The text of a public key. Refuses with ACCOUNT_INVALID. */
export const accountText = z.string().superRefine((value, context) => {
  if (!hasFormOfPublicKey(value)) refuse(context, 'ACCOUNT_INVALID', { account: value.slice(0, 128) })
})

/** One of the five coins. Refuses with COIN_UNKNOWN. */
export const coinText = z
  .custom<Coin>(value => typeof value === 'string', 'expected string')
  .superRefine((value, context) => {
    if (!isCoin(value)) refuse(context, 'COIN_UNKNOWN', { coin: String(value).slice(0, 32), known: coins.join(', ') })
  })
