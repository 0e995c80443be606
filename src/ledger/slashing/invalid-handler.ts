import { z } from 'zod'
import { bytesToHex, type CanonicalValue, hexToBytes, publicKeyToText, sha256 } from '../../codec/index.ts'
import {
  accusedOf,
  committeeOfSet,
  currentSet,
  type EventHandler,
  encodeInvalidEvidence,
  faultProven,
  type Genesis,
  type InvalidEvidence,
  memberAt,
  plainBlock,
  readInvalidEvidence,
  type SignedBytes,
  type StateView,
  type ValidatorSet
} from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { executedDigest } from '../rewards/checkpoint-votes.ts'
import { accusedKey, chargeForEvidence, punishProven } from './accuse.ts'

/** What the state keeps of a validator that signed what no rule allows. One entry for an epoch and a key. */
export type InvalidOffence = {
  readonly fault: string
  readonly round: number | null
  /** SHA-256 of the payload that proved it. */
  readonly evidence: Uint8Array
  readonly reporter: string
  readonly timestampMs: number
}

export const invalidOffencePrefix = 'offence-invalid/'

export function invalidOffenceKey(epoch: number, key: string): string {
  return `${invalidOffencePrefix}${epoch}/${key}`
}

const type = 'evidence-invalid'
const hex = z.string().regex(/^([0-9a-f]{2})+$/)
const signed = z.strictObject({ bytes: hex, signature: z.string().regex(/^[0-9a-f]{128}$/) })
const place = z.int().min(0)
const evidenceJson = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('header'), header: signed }),
  z.strictObject({ kind: z.literal('body'), header: signed, body: hex, place: place.nullable() }),
  z.strictObject({ kind: z.literal('vote'), header: signed, place }),
  z.strictObject({ kind: z.literal('checkpoints'), epoch: place, author: place, first: signed, second: signed })
])

/** `evidence-invalid`: a validator signed what the rules forbid. From any account; a block on chain A. */
export function invalidEvidenceHandler({ genesis }: { readonly genesis: Genesis }): EventHandler {
  return {
    type,
    purpose: 'proof that a validator signed what breaks the rules, on chain A',
    encodePayload: json => {
      const parsed = evidenceJson.safeParse(json)
      if (!parsed.success) {
        const { path, message } = parsed.error.issues[0]!
        throw new BlyanError('EVENT_PAYLOAD_INVALID', { type, reason: `${path.join('.') || 'payload'}: ${message}` })
      }
      const payload = encodeInvalidEvidence(evidenceOf(parsed.data))
      readInvalidEvidence(payload)
      return payload
    },
    describePayload: payload => {
      const evidence = readInvalidEvidence(payload)
      return { kind: evidence.kind, ...accusedOf(evidence), ...partsOf(evidence) }
    },
    apply: input => {
      const { envelope, state, timestampMs } = input
      const reporter = publicKeyToText(envelope.author)
      chargeForEvidence(state, genesis, reporter)
      const evidence = readInvalidEvidence(envelope.payload)
      const { epoch, author, round } = accusedOf(evidence)
      const key = accusedKey(state, genesis, epoch, author)
      const name = invalidOffenceKey(epoch, publicKeyToText(key))
      if (state.get(name) !== undefined) throw new BlyanError('EVIDENCE_KNOWN', { epoch })
      const fault = faultProven(evidence, {
        genesisDigest: genesis.digest,
        committee: committeeOfSet(setOf(state, genesis, epoch), genesis.degraded),
        parameters: genesis.parameters,
        executedDigest: sequence => executedDigest(state, sequence)
      })
      const payloadHash = sha256(envelope.payload)
      const offence: InvalidOffence = { fault, round, evidence: payloadHash, reporter, timestampMs }
      state.set(name, offence as unknown as CanonicalValue)
      punishProven(input, genesis, { offence: 'invalid', key, epoch, round, fault })
      return plainBlock('A', type, payloadHash)
    }
  }
}

/** Of an epoch that is over it is not known in which round it began: nobody is accused of having been too early there. */
function setOf(state: StateView, genesis: Genesis, epoch: number): ValidatorSet {
  const now = currentSet(state, genesis)
  if (now.epoch === epoch) return now
  const members: ValidatorSet['members'][number][] = []
  for (let at = memberAt(state, genesis, epoch, 0); at !== undefined; )
    at = memberAt(state, genesis, epoch, members.push(at))
  return { epoch, baseRound: 0, members }
}

function evidenceOf(json: z.output<typeof evidenceJson>): InvalidEvidence {
  const of = ({ bytes, signature }: z.output<typeof signed>): SignedBytes => ({
    bytes: hexToBytes(bytes)!,
    signature: hexToBytes(signature)!
  })
  if (json.kind === 'checkpoints') return { ...json, first: of(json.first), second: of(json.second) }
  if (json.kind === 'body') return { ...json, header: of(json.header), body: hexToBytes(json.body)! }
  return { ...json, header: of(json.header) }
}

/** All that has to be looked at to check it, as text. */
function partsOf(evidence: InvalidEvidence): Record<string, unknown> {
  const of = ({ bytes, signature }: SignedBytes) => ({ bytes: bytesToHex(bytes), signature: bytesToHex(signature) })
  if (evidence.kind === 'checkpoints') return { first: of(evidence.first), second: of(evidence.second) }
  const header = of(evidence.header)
  if (evidence.kind === 'header') return { header }
  if (evidence.kind === 'vote') return { header, place: evidence.place }
  return { header, place: evidence.place, body: bytesToHex(evidence.body) }
}
