import { z } from 'zod'
import {
  bytesEqual,
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  publicKeyFromText,
  publicKeyToText,
  sha256
} from '../codec/index.ts'
import { type EventHandler, plainBlock, type StateView } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'

const amountMax = 10n ** 18n

const transferJson = z.strictObject({
  to: z.string().refine(isPublicKey, 'not an account'),
  /** Base units, as a decimal string. */
  amount: z.string().regex(/^[1-9][0-9]{0,18}$/, 'not a positive whole number of base units'),
  coin: z.literal('BLY').default('BLY'),
  memo: z.string().max(256).default('')
})

/** `transfer`: moves BLY between accounts, on chain C. What one account loses the other gains. */
export const transferHandler: EventHandler = {
  type: 'transfer',
  purpose: 'moves BLY to another account, on chain C',
  encodePayload: json => encodeCanonical(checked(json) as CanonicalValue),
  describePayload: payload => read(payload),
  apply: ({ envelope, state }) => {
    const payload = checked(read(envelope.payload))
    // Nothing is left to a default: one meaning has one payload.
    if (!bytesEqual(encodeCanonical(payload as CanonicalValue), envelope.payload))
      throw invalid('not the canonical payload of its meaning')
    const { to, amount, coin } = payload
    const from = publicKeyToText(envelope.author)
    const units = BigInt(amount)
    if (units > amountMax) throw invalid(`amount: more than ${amountMax}`)
    const balance = balanceOf(state, from, coin)
    if (balance < units) throw new BlyanError('BALANCE_TOO_LOW', { balance: balance.toString(), amount })
    state.set(balanceKey(from, coin), (balance - units).toString())
    state.set(balanceKey(to, coin), (balanceOf(state, to, coin) + units).toString())
    return plainBlock('C', 'transfer', sha256(envelope.payload))
  }
}

function balanceKey(account: string, coin: string): string {
  return `balance/${account}/${coin}`
}

function balanceOf(state: StateView, account: string, coin: string): bigint {
  const value = state.get(balanceKey(account, coin))
  return typeof value === 'string' ? BigInt(value) : 0n
}

function checked(json: unknown): z.output<typeof transferJson> {
  const parsed = transferJson.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw invalid(`${issue.path.join('.') || 'payload'}: ${issue.message}`)
}

function read(payload: Uint8Array): unknown {
  try {
    return decodeCanonical(payload, { sizeBytesMax: 4096 })
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : 'not DAG-CBOR')
  }
}

function isPublicKey(text: string): boolean {
  try {
    publicKeyFromText(text)
    return true
  } catch {
    return false
  }
}

function invalid(reason: string): BlyanError {
  return new BlyanError('EVENT_PAYLOAD_INVALID', { type: 'transfer', reason })
}
