import { z } from 'zod'
import { bytesToHex, type CanonicalValue, hexToBytes, publicKeyToText, sha256 } from '../codec/index.ts'
import {
  type EventHandler,
  encodeEvidence,
  type Genesis,
  memberAt,
  plainBlock,
  readEvidence,
  type StateView,
  verifyEvidence
} from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { chargeForEvidence } from './slashing/accuse.ts'
import { punishSignedTwice, signedTwice } from './slashing/double-signing.ts'

/** What the state keeps of a validator that signed twice. One entry for an epoch and a key, whatever else it did. */
export type Offence = {
  readonly round: number
  /** Digests of the two headers, the lower one first. */
  readonly first: Uint8Array
  readonly second: Uint8Array
  /** SHA-256 of the payload that proved it. */
  readonly evidence: Uint8Array
  /** Account that brought it. */
  readonly reporter: string
  readonly timestampMs: number
}

export const offencePrefix = 'offence/'

export function offenceKey(epoch: number, key: string): string {
  return `${offencePrefix}${epoch}/${key}`
}

const signedHeaderJson = z.strictObject({
  header: z.string().regex(/^([0-9a-f]{2})+$/),
  signature: z.string().regex(/^[0-9a-f]{128}$/)
})
const evidenceJson = z.strictObject({ first: signedHeaderJson, second: signedHeaderJson })

/** `evidence`: two headers that one validator signed for one slot. From any account; a block on chain A. */
export function evidenceHandler({ genesis }: { readonly genesis: Genesis }): EventHandler {
  return {
    type: 'evidence',
    purpose: 'proof that a validator signed twice, on chain A',
    encodePayload: json => {
      const parsed = evidenceJson.safeParse(json)
      if (!parsed.success) throw invalidJson(parsed.error.issues[0]!)
      const { first, second } = parsed.data
      const payload = encodeEvidence(signedHeaderOf(first), signedHeaderOf(second))
      readEvidence(payload)
      return payload
    },
    describePayload: payload => {
      const { epoch, round, author, first, second } = readEvidence(payload)
      const headers = [first, second].map(({ headerBytes, signature }) => ({
        bytes: bytesToHex(headerBytes),
        signature: bytesToHex(signature)
      }))
      return { epoch, round, author, first: first.digest, second: second.digest, headers }
    },
    apply: input => {
      const { envelope, state, timestampMs } = input
      const hasEconomy = genesis.file.economy !== undefined
      if (hasEconomy) chargeForEvidence(state, genesis, publicKeyToText(envelope.author))
      const { key, evidence: proof } = (hasEconomy ? signedTwice : signedTwiceWithoutEconomy)(
        state,
        genesis,
        envelope.payload
      )
      const { epoch, round, first, second } = proof
      const name = offenceKey(epoch, publicKeyToText(key))
      if (state.get(name) !== undefined) throw new BlyanError('EVIDENCE_KNOWN', { epoch })
      const evidence = sha256(envelope.payload)
      const offence: Offence = {
        round,
        first: hexToBytes(first.digest)!,
        second: hexToBytes(second.digest)!,
        evidence,
        reporter: publicKeyToText(envelope.author),
        timestampMs
      }
      state.set(name, offence as unknown as CanonicalValue)
      if (hasEconomy) punishSignedTwice(input, genesis, { key, epoch, round })
      return plainBlock('A', 'evidence', evidence)
    }
  }
}

/** Its refusals are part of what older networks have agreed on. */
function signedTwiceWithoutEconomy(state: StateView, genesis: Genesis, payload: Uint8Array) {
  const { epoch, author } = readEvidence(payload)
  const member = memberAt(state, genesis, epoch, author)
  if (member === undefined)
    throw new BlyanError('EVIDENCE_INVALID', { part: `validator ${author} of epoch ${epoch} is not known` })
  return { key: member.publicKey, evidence: verifyEvidence(genesis.digest, member.publicKey, payload) }
}

function signedHeaderOf(json: z.output<typeof signedHeaderJson>): { headerBytes: Uint8Array; signature: Uint8Array } {
  return { headerBytes: hexToBytes(json.header)!, signature: hexToBytes(json.signature)! }
}

function invalidJson(issue: { readonly path: readonly PropertyKey[]; readonly message: string }): BlyanError {
  return new BlyanError('EVENT_PAYLOAD_INVALID', {
    type: 'evidence',
    reason: `${issue.path.join('.') || 'payload'}: ${issue.message}`
  })
}
