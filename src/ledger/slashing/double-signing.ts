import {
  type ApplyInput,
  type Evidence,
  type Genesis,
  readEvidence,
  type StateView,
  verifyEvidence
} from '../../dag/index.ts'
import { BlyanError, isBlyanError } from '../../errors/index.ts'
import { accusedKey, punishProven } from './accuse.ts'

/**
 * Who is proven to have signed twice, in a network with an economy: its codes say more than those of older
 * networks, whose refusals are part of what they have agreed on. Throws EVIDENCE_*.
 */
export function signedTwice(
  state: StateView,
  genesis: Genesis,
  payload: Uint8Array
): { readonly key: Uint8Array; readonly evidence: Evidence } {
  const { epoch, author } = readEvidence(payload)
  const key = accusedKey(state, genesis, epoch, author)
  try {
    return { key, evidence: verifyEvidence(genesis.digest, key, payload) }
  } catch (error) {
    // It was read before: nothing but a signature can be wrong.
    if (isBlyanError(error, 'EVIDENCE_INVALID')) throw new BlyanError('EVIDENCE_KEY_WRONG', { part: 'evidence' })
    throw error
  }
}

/** Punishes a double signing that was proven and recorded. */
export function punishSignedTwice(
  input: ApplyInput,
  genesis: Genesis,
  { key, epoch, round }: { readonly key: Uint8Array; readonly epoch: number; readonly round: number }
): void {
  punishProven(input, genesis, {
    offence: 'double-signing',
    key,
    epoch,
    round,
    fault: 'two vertices for one round'
  })
}
