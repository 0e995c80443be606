import { z } from 'zod'
import {
  bytesToHex,
  concatBytes,
  hexToBytes,
  publicKeyFromText,
  publicKeyToText,
  verifySignatureSync
} from '../codec/index.ts'
import {
  type ApplyInput,
  candidateKeys,
  currentSet,
  deleteCandidate,
  type EventHandler,
  faultOfSet,
  type Genesis,
  memberTextMax,
  type PendingChange,
  pendingChanges,
  readApprovals,
  readCandidate,
  type StateView,
  setAfter,
  validatorsMax,
  writeApprovals,
  writeCandidate,
  writeCandidateKeys,
  writePendingChanges
} from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { decodedPayload, encodePayloadOf, isPublicKeyText, readPayload } from './payload.ts'

/*
 * Changes of the validator set, asked for by events whose author is the consensus key itself: its signature shows that
 * whoever asks has the key. They take effect with the next epoch (src/dag/core/validator-state.ts).
 */
const payloadBytesMax = 4096
const keyText = z.string().refine(isPublicKeyText, 'not a public key')
const peerIdText = z.string().regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/, 'not a peer id')
const label = z.string().max(memberTextMax.short)

const joinJson = z.strictObject({ name: label, peerId: peerIdText, origin: label, region: label })
const subjectJson = z.strictObject({ validator: keyText })
const leaveJson = z.strictObject({})
const rotateJson = z.strictObject({
  newKey: keyText,
  peerId: peerIdText.nullable().default(null),
  /** By the new key over `rotationSigningBytes`, hex. */
  signature: z.string().regex(/^[0-9a-f]{128}$/, 'not a signature in hex')
})
const withdrawJson = z.strictObject({
  change: z.enum(['approve', 'remove', 'leave', 'rotate']),
  validator: keyText
})

const rotationDomain = new TextEncoder().encode('blyan/validator-rotate/1')

/** What the new key signs to show that its owner wants it in the place of the old one, on this network. */
export function rotationSigningBytes(genesisDigest: Uint8Array, oldKey: Uint8Array): Uint8Array {
  return concatBytes(rotationDomain, genesisDigest, oldKey)
}

/** Handlers of all `validator-*` events of a network. */
export function validatorHandlers({ genesis }: { readonly genesis: Genesis }): EventHandler[] {
  return [
    handler('validator-join', 'asks to become a validator; signed by the consensus key', joinJson, (input, payload) =>
      join(new Changes(genesis, input), payload)
    ),
    handler('validator-approve', 'a validator approves a candidate', subjectJson, (input, payload) =>
      approve(new Changes(genesis, input), payload.validator)
    ),
    handler('validator-remove', 'a validator approves that another is removed', subjectJson, (input, payload) =>
      remove(new Changes(genesis, input), payload.validator)
    ),
    handler('validator-leave', 'a validator leaves with the next set, or a candidate gives up', leaveJson, input =>
      leave(new Changes(genesis, input))
    ),
    handler('validator-rotate', 'a validator signs with a new key from the next set on', rotateJson, (input, payload) =>
      rotate(new Changes(genesis, input), payload, genesis.digest)
    ),
    handler(
      'validator-withdraw',
      'takes back what its author approved or asked for, until the set has changed',
      withdrawJson,
      (input, payload) => withdraw(new Changes(genesis, input), payload)
    )
  ]
}

function join(changes: Changes, candidate: z.output<typeof joinJson>): void {
  const { state, author, authorKey } = changes
  if (authorKey[0] !== 0xed) throw new BlyanError('VALIDATOR_KEY_UNFIT', { key: author })
  changes.requireNewcomer(author, candidate.peerId)
  const keys = candidateKeys(state).filter(key => key !== author)
  if (keys.length >= validatorsMax) {
    // Whoever floods the list with keys pushes out only what no validator has looked at.
    const unapproved = keys.findIndex(key => readApprovals(state, 'join', key).length === 0)
    if (unapproved === -1) throw new BlyanError('VALIDATOR_SET_FULL')
    deleteCandidate(state, keys[unapproved]!)
    keys.splice(unapproved, 1)
  }
  writeCandidate(state, author, candidate)
  writeCandidateKeys(state, [...keys, author])
  // What was approved is what the candidate said before.
  writeApprovals(state, 'join', author, [])
  changes.drop(change => change.kind === 'join' && change.key === author)
}

function approve(changes: Changes, key: string): void {
  changes.requireMember(changes.author)
  const candidate = readCandidate(changes.state, key)
  if (candidate === undefined) {
    if (changes.isMember(key)) throw new BlyanError('VALIDATOR_ALREADY', { key })
    throw new BlyanError('VALIDATOR_NOT_CANDIDATE', { key })
  }
  if (!changes.approve('join', key)) return
  changes.requireNewcomer(key, candidate.peerId)
  changes.add({ kind: 'join', key })
}

function remove(changes: Changes, key: string): void {
  changes.requireMember(changes.author)
  changes.requireMember(key)
  if (changes.approve('remove', key)) changes.add({ kind: 'remove', key })
}

function leave(changes: Changes): void {
  const { author, state } = changes
  if (!changes.isMember(author) && readCandidate(state, author) !== undefined) {
    deleteCandidate(state, author)
    changes.drop(change => change.kind === 'join' && change.key === author)
    return
  }
  changes.requireMember(author)
  if (changes.has('leave', author)) throw new BlyanError('VALIDATOR_APPROVED_TWICE', { key: author })
  changes.add({ kind: 'leave', key: author })
}

function rotate(changes: Changes, payload: z.output<typeof rotateJson>, genesisDigest: Uint8Array): void {
  const { author, authorKey } = changes
  changes.requireMember(author)
  const newKey = publicKeyFromText(payload.newKey)
  if (newKey[0] !== 0xed) throw new BlyanError('VALIDATOR_KEY_UNFIT', { key: payload.newKey })
  if (changes.isMember(payload.newKey)) throw new BlyanError('VALIDATOR_ALREADY', { key: payload.newKey })
  if (!verifySignatureSync(newKey, rotationSigningBytes(genesisDigest, authorKey), hexToBytes(payload.signature)!))
    throw new BlyanError('VALIDATOR_KEY_PROOF_WRONG', { key: payload.newKey })
  // A second rotation takes the place of the first: the next set knows one key of a member.
  changes.drop(change => change.kind === 'rotate' && change.key === author)
  changes.add({ kind: 'rotate', key: author, newKey: payload.newKey, peerId: payload.peerId })
}

function withdraw(changes: Changes, { change, validator: key }: z.output<typeof withdrawJson>): void {
  const { author } = changes
  changes.requireMember(author)
  if (change === 'approve' || change === 'remove') {
    const kind = change === 'approve' ? 'join' : 'remove'
    if (!changes.disapprove(kind, key)) changes.drop(one => one.kind === kind && one.key === key)
    return
  }
  if (key !== author || !changes.has(change, author)) throw new BlyanError('VALIDATOR_NOTHING_TO_WITHDRAW', { key })
  changes.drop(one => one.kind === change && one.key === author)
}

/** The set, its candidates and pending changes as one event sees them. Refuses whatever would make no set. */
class Changes {
  readonly state: StateView
  readonly author: string
  readonly authorKey: Uint8Array
  readonly #genesis: Genesis
  readonly #weights: ReadonlyMap<string, number>

  constructor(genesis: Genesis, { state, envelope }: ApplyInput) {
    this.state = state
    this.authorKey = envelope.author
    this.author = publicKeyToText(envelope.author)
    this.#genesis = genesis
    this.#weights = new Map(
      currentSet(state, genesis).members.map(member => [publicKeyToText(member.publicKey), member.weight])
    )
  }

  isMember(key: string): boolean {
    return this.#weights.has(key)
  }

  requireMember(key: string): void {
    if (!this.isMember(key)) throw new BlyanError('VALIDATOR_UNKNOWN', { key })
  }

  /** Neither the key nor the peer id is of this set or the next. */
  requireNewcomer(key: string, peerId: string): void {
    const { members } = currentSet(this.state, this.#genesis)
    const others = pendingChanges(this.state).filter(change => change.kind !== 'join' || change.key !== key)
    const known = [...members, ...setAfter(this.state, this.#genesis, others)]
    if (known.some(member => publicKeyToText(member.publicKey) === key))
      throw new BlyanError('VALIDATOR_ALREADY', { key })
    if (known.some(member => member.peerId === peerId)) throw new BlyanError('VALIDATOR_PEER_ID_TAKEN', { peerId })
  }

  has(kind: PendingChange['kind'], key: string): boolean {
    return pendingChanges(this.state).some(change => change.kind === kind && change.key === key)
  }

  add(change: PendingChange): void {
    if (!this.has(change.kind, change.key)) this.#write([...pendingChanges(this.state), change])
  }

  drop(isDropped: (change: PendingChange) => boolean): void {
    const changes = pendingChanges(this.state)
    const kept = changes.filter(change => !isDropped(change))
    if (kept.length < changes.length) this.#write(kept)
  }

  /** Takes the author's approval in. True when those of this set who approve are now a quorum of it. */
  approve(of: 'join' | 'remove', key: string): boolean {
    const approvers = this.#approversOf(of, key)
    if (approvers.includes(this.author)) throw new BlyanError('VALIDATOR_APPROVED_TWICE', { key })
    approvers.push(this.author)
    writeApprovals(this.state, of, key, approvers)
    return this.#isQuorum(approvers)
  }

  /** Takes the author's approval back. True when the others are still a quorum. */
  disapprove(of: 'join' | 'remove', key: string): boolean {
    const approvers = this.#approversOf(of, key)
    if (!approvers.includes(this.author)) throw new BlyanError('VALIDATOR_NOTHING_TO_WITHDRAW', { key })
    const others = approvers.filter(one => one !== this.author)
    writeApprovals(this.state, of, key, others)
    return this.#isQuorum(others)
  }

  /** Those who have left the set since have no say any more. */
  #approversOf(of: 'join' | 'remove', key: string): string[] {
    return readApprovals(this.state, of, key).filter(one => this.isMember(one))
  }

  #isQuorum(approvers: readonly string[]): boolean {
    const total = [...this.#weights.values()].reduce((sum, weight) => sum + weight, 0)
    const approving = approvers.reduce((sum, key) => sum + this.#weights.get(key)!, 0)
    return approving >= Math.floor((2 * total) / 3) + 1
  }

  #write(changes: readonly PendingChange[]): void {
    if (changes.length > validatorsMax) throw new BlyanError('VALIDATOR_SET_FULL')
    const members = setAfter(this.state, this.#genesis, changes)
    const fault = faultOfSet(members)
    if (fault !== undefined) throw new BlyanError(fault, faultFields(changes, members))
    writePendingChanges(this.state, changes)
  }
}

function faultFields(
  changes: readonly PendingChange[],
  members: readonly { readonly peerId: string }[]
): { key: string; peerId: string } {
  const peerIds = members.map(member => member.peerId)
  const last = changes.at(-1)
  return {
    key: last === undefined ? '' : last.kind === 'rotate' ? last.newKey : last.key,
    peerId: peerIds.find((peerId, place) => peerIds.indexOf(peerId) !== place) ?? ''
  }
}

function handler<Schema extends z.ZodType>(
  type: string,
  purpose: string,
  schema: Schema,
  apply: (input: ApplyInput, payload: z.output<Schema>) => void
): EventHandler {
  return {
    type,
    purpose,
    encodePayload: json => encodePayloadOf(type, schema, json),
    describePayload: payload => decodedPayload(type, payload, payloadBytesMax),
    apply: input => {
      apply(input, readPayload(type, schema, input.envelope.payload, payloadBytesMax))
      return undefined
    }
  }
}

/** Payload JSON of a rotation, with the proof that the new key signs. */
export function rotationPayload(input: {
  readonly genesisDigest: Uint8Array
  readonly oldKey: Uint8Array
  readonly newKey: { readonly publicKey: Uint8Array; sign(message: Uint8Array): Uint8Array }
  readonly peerId: string | null
}): z.input<typeof rotateJson> {
  const signature = input.newKey.sign(rotationSigningBytes(input.genesisDigest, input.oldKey))
  return {
    newKey: publicKeyToText(input.newKey.publicKey),
    peerId: input.peerId,
    signature: bytesToHex(signature)
  }
}
