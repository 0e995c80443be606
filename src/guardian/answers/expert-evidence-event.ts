import { z } from 'zod'
import { bytesToHex, type CanonicalValue, hexToBytes, publicKeyToText, sha256 } from '../../codec/index.ts'
import { type EventHandler, type Genesis, plainBlock, type StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { chargeForEvidence } from '../../ledger/index.ts'
import { type Exhibit, encodeExpertEvidence, exhibitsMax, readExpertEvidence, statementsOf } from './expert-evidence.ts'

/**
 * What the state keeps of evidence against a holder. It is a claim with what is needed to check it, and nothing more: no
 * coin moves and nobody is kept out because of it, since only who has the weights can see whether it holds.
 */
export type ExpertEvidence = {
  readonly number: number
  /** Node key of the holder. */
  readonly holder: string
  /** Account that brought it. */
  readonly reporter: string
  /** Digest of the event, hex. */
  readonly event: string
  /** CIDs of the tensors that were named, each once. */
  readonly weights: readonly string[]
  readonly exhibits: number
  readonly timeMs: number
}

/** Older ones are still in the events; the state has the newest. */
export const expertEvidenceKeptMax = 1024
const countKey = 'expert-evidence/count'
const entryKey = (number: number): string => `expert-evidence/${number % expertEvidenceKeptMax}`
const knownKey = (holder: string, reporter: string): string =>
  `expert-evidence-known/${bytesToHex(sha256(new TextEncoder().encode(`${holder} ${reporter}`)))}`
const hex = z.string().regex(/^([0-9a-f]{2})*$/)

const exhibitJson = z.strictObject({
  commitment: hex,
  signature: hex,
  load: z.int().min(0),
  row: z.int().min(0),
  input: hex,
  output: hex,
  inputPath: z.array(hex).max(32),
  outputPath: z.array(hex).max(32)
})
const evidenceJson = z.strictObject({ exhibits: z.array(exhibitJson).min(1).max(exhibitsMax) })

/** `expert-evidence`: a holder signed an answer that its weights do not give. A block on chain A. */
export function expertEvidenceHandler(genesis: Genesis): EventHandler {
  return {
    type: 'expert-evidence',
    purpose: 'signed answers of a holder that the named weights do not give, on chain A',
    encodePayload: json => {
      const parsed = evidenceJson.safeParse(json)
      if (!parsed.success) throw payloadInvalid(parsed.error.issues[0]!)
      const payload = encodeExpertEvidence(parsed.data.exhibits.map(exhibitOfJson))
      if (payload === undefined || readExpertEvidence(payload).length !== parsed.data.exhibits.length)
        throw new BlyanError('EXPERT_EVIDENCE_INVALID', { part: 'its exhibits do not fit into one event' })
      return payload
    },
    describePayload: payload => {
      const exhibits = readExpertEvidence(payload)
      const [first] = statementsOf(exhibits, genesis.digest)
      return { holder: publicKeyToText(first!.body.holder), exhibits: exhibits.map(jsonOfExhibit) }
    },
    apply: ({ envelope, eventDigest, state, timestampMs }) => {
      const reporter = publicKeyToText(envelope.author)
      // Room in the state is paid for, or kept for those who have something to lose.
      if (genesis.file.economy !== undefined) chargeForEvidence(state, genesis, reporter)
      else requireStake(state, reporter)
      const statements = statementsOf(readExpertEvidence(envelope.payload), genesis.digest)
      const holder = publicKeyToText(statements[0]!.body.holder)
      const payloadHash = sha256(envelope.payload)
      const known = knownKey(holder, reporter)
      if (isSame(state.get(known), payloadHash)) throw new BlyanError('EXPERT_EVIDENCE_KNOWN', { holder })
      const number = expertEvidenceCount(state) + 1
      forgetBefore(state, number)
      const entry: ExpertEvidence = {
        number,
        holder,
        reporter,
        event: eventDigest,
        weights: [...new Set(statements.map(({ weights }) => weights))],
        exhibits: statements.length,
        timeMs: timestampMs
      }
      state.set(entryKey(number), entry as unknown as CanonicalValue)
      state.set(known, payloadHash)
      state.set(countKey, number)
      return plainBlock('A', 'expert-evidence', payloadHash)
    }
  }
}

export function expertEvidenceCount(state: Pick<StateView, 'get'>): number {
  return (state.get(countKey) as number | undefined) ?? 0
}

/** Undefined for a number that was never given, and for one that the state has forgotten. */
export function readExpertEvidenceEntry(state: Pick<StateView, 'get'>, number: number): ExpertEvidence | undefined {
  const entry = state.get(entryKey(number)) as ExpertEvidence | undefined
  return entry?.number === number ? entry : undefined
}

function forgetBefore(state: StateView, number: number): void {
  const old = readExpertEvidenceEntry(state, number - expertEvidenceKeptMax)
  if (old === undefined) return
  const known = knownKey(old.holder, old.reporter)
  if (state.get(known) !== undefined) state.delete(known)
}

function requireStake(state: StateView, account: string): void {
  const stake = state.get(`stake/${account}`)
  if (typeof stake !== 'string' || BigInt(stake) <= 0n)
    throw new BlyanError('EVENT_NOT_AUTHORISED', { type: 'expert-evidence', reason: 'it has no stake' })
}

function isSame(value: CanonicalValue | undefined, digest: Uint8Array): boolean {
  return value instanceof Uint8Array && bytesToHex(value) === bytesToHex(digest)
}

function exhibitOfJson(json: z.output<typeof exhibitJson>): Exhibit {
  const bytes = (text: string): Uint8Array => hexToBytes(text)!
  return {
    ...json,
    commitment: bytes(json.commitment),
    signature: bytes(json.signature),
    input: bytes(json.input),
    output: bytes(json.output),
    inputPath: json.inputPath.map(bytes),
    outputPath: json.outputPath.map(bytes)
  }
}

function jsonOfExhibit(exhibit: Exhibit): z.output<typeof exhibitJson> {
  return {
    ...exhibit,
    commitment: bytesToHex(exhibit.commitment),
    signature: bytesToHex(exhibit.signature),
    input: bytesToHex(exhibit.input),
    output: bytesToHex(exhibit.output),
    inputPath: exhibit.inputPath.map(bytesToHex),
    outputPath: exhibit.outputPath.map(bytesToHex)
  }
}

function payloadInvalid(issue: { readonly path: readonly PropertyKey[]; readonly message: string }): BlyanError {
  return new BlyanError('EVENT_PAYLOAD_INVALID', {
    type: 'expert-evidence',
    reason: `${issue.path.join('.') || 'payload'}: ${issue.message}`
  })
}
