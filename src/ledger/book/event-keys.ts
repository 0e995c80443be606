import { z } from 'zod'
import { hexToBytes } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { numberOf } from '../parameters.ts'
import { schedule } from './agenda.ts'
import type { LedgerInput } from './ledger-handler.ts'
import type { RuleInput } from './rule.ts'

/** What an author calls a wish, so that it is fulfilled once however often it is asked; empty for none. */
export const eventKeyText = z.string().regex(/^[A-Za-z0-9._:-]{0,64}$/, 'letters, digits, . _ : - and at most 64')

/** Agenda: a key can be used again. */
export const eventKeyDue = 'event-key'

/** SHA-256 of the event that used a key of an author, while it cannot be used again. */
export function eventOfKey(state: StateView, author: string, key: string): Uint8Array | undefined {
  return state.get(stateKey(`${author}/${key}`)) as Uint8Array | undefined
}

/** Takes the key in. Throws EVENT_KEY_USED, naming the event that was first. */
export function useEventKey(input: LedgerInput, key: string): void {
  if (key === '') return
  const { state, genesis, author, eventDigest, timestampMs } = input
  const first = eventOfKey(state, author, key)
  if (first !== undefined) throw new BlyanError('EVENT_KEY_USED', { key, first: Buffer.from(first).toString('hex') })
  state.set(stateKey(`${author}/${key}`), hexToBytes(eventDigest)!)
  schedule(state, timestampMs + numberOf(state, genesis, 'eventKeyMs'), eventKeyDue, `${author}/${key}`)
}

export function forgetEventKey({ state }: RuleInput, id: string): void {
  state.delete(stateKey(id))
}

function stateKey(id: string): string {
  return `event-key/${id}`
}
