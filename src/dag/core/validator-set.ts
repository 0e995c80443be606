import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  publicKeyToText,
  readNatural,
  sha256
} from '../../codec/index.ts'
import { type Committee, createCommittee, type DegradedMode, type Validator } from '../../consensus/index.ts'
import { BlyanError } from '../../errors/index.ts'

/**
 * Which set of validators follows which. Who may ask for a change is decided elsewhere (src/ledger/validators.ts); what
 * the changes of an epoch come to is decided here, alike at every node and in every proof.
 */
export type SetChange =
  | { readonly kind: 'join'; readonly member: Validator }
  | { readonly kind: 'leave' | 'remove'; readonly key: Uint8Array }
  | { readonly kind: 'rotate'; readonly key: Uint8Array; readonly newKey: Uint8Array; readonly peerId: string | null }

/** A set as it is named by the checkpoint that ends the epoch before. */
export type ValidatorSet = {
  readonly epoch: number
  /** Round of the commit that ended the epoch before; 0 for genesis. */
  readonly baseRound: number
  readonly members: readonly Validator[]
}

export const validatorsMax = 256
const version = 1
const setBytesMax = 512 * 1024
export const memberTextMax = { short: 64, peerId: 128 } as const

/**
 * The set after these changes. Members keep their order, a rotated key its owner's place; newcomers follow in the order
 * in which they were let in. Leaving is stronger than rotating.
 */
export function nextSet(current: readonly Validator[], changes: readonly SetChange[]): Validator[] {
  const gone = new Set<string>()
  const rotated = new Map<string, Extract<SetChange, { kind: 'rotate' }>>()
  const joined: Validator[] = []
  for (const change of changes) {
    if (change.kind === 'join') joined.push(change.member)
    else if (change.kind === 'rotate') rotated.set(publicKeyToText(change.key), change)
    else gone.add(publicKeyToText(change.key))
  }
  const staying = current
    .filter(member => !gone.has(publicKeyToText(member.publicKey)))
    .map(member => {
      const rotation = rotated.get(publicKeyToText(member.publicKey))
      if (rotation === undefined) return member
      return { ...member, publicKey: rotation.newKey, peerId: rotation.peerId ?? member.peerId }
    })
  return [...staying, ...joined]
}

export type SetFault = 'VALIDATOR_SET_EMPTY' | 'VALIDATOR_SET_FULL' | 'VALIDATOR_ALREADY' | 'VALIDATOR_PEER_ID_TAKEN'

/** Why these may not be a set, or undefined when they may. */
export function faultOfSet(members: readonly Validator[]): SetFault | undefined {
  if (members.length === 0) return 'VALIDATOR_SET_EMPTY'
  if (members.length > validatorsMax) return 'VALIDATOR_SET_FULL'
  if (new Set(members.map(member => publicKeyToText(member.publicKey))).size < members.length)
    return 'VALIDATOR_ALREADY'
  if (new Set(members.map(member => member.peerId)).size < members.length) return 'VALIDATOR_PEER_ID_TAKEN'
  return undefined
}

/** The committee of a set. A network of three that declares `degraded` keeps it for as long as it is of three. */
export function committeeOfSet(set: ValidatorSet, degraded: DegradedMode): Committee {
  return createCommittee(set.epoch, set.members, {
    baseRound: set.baseRound,
    degraded: mayDegrade(set.members) ? degraded : 'none'
  })
}

/** Two of three are a majority only when all three weigh the same. */
export function mayDegrade(members: readonly { readonly weight: number }[]): boolean {
  return members.length === 3 && members.every(member => member.weight === members[0]!.weight)
}

export function encodeSet(set: ValidatorSet): Uint8Array {
  return encodeCanonical([
    version,
    set.epoch,
    set.baseRound,
    set.members.map(({ name, publicKey, peerId, origin, region, weight }) => [
      name,
      publicKey,
      peerId,
      origin,
      region,
      weight
    ])
  ])
}

/** Throws ENCODING_INVALID. */
export function decodeSet(bytes: Uint8Array): ValidatorSet {
  const value = decodeCanonical(bytes, { sizeBytesMax: setBytesMax })
  if (!Array.isArray(value) || value.length !== 4 || value[0] !== version) throw invalid('version')
  const members: unknown = value[3]
  if (!Array.isArray(members) || members.length > validatorsMax) throw invalid('number of members')
  const set = {
    epoch: readNatural(value[1], 'validator set'),
    baseRound: readNatural(value[2], 'validator set'),
    members: members.map(memberOf)
  }
  const fault = faultOfSet(set.members)
  if (fault !== undefined) throw invalid(fault)
  return set
}

/** SHA-256 of an encoded set: what the boundary checkpoint names. */
export function setDigest(bytes: Uint8Array): Uint8Array {
  return sha256(bytes)
}

function memberOf(value: CanonicalValue): Validator {
  if (!Array.isArray(value) || value.length !== 6) throw invalid('member')
  const [name, publicKey, peerId, origin, region, weight] = value as readonly CanonicalValue[]
  for (const text of [name, origin, region])
    if (typeof text !== 'string' || text.length > memberTextMax.short) throw invalid('text')
  if (typeof peerId !== 'string' || peerId.length > memberTextMax.peerId) throw invalid('peer id')
  if (!(publicKey instanceof Uint8Array) || (publicKey.length !== 34 && publicKey.length !== 35)) throw invalid('key')
  const weightOf = readNatural(weight, 'validator set')
  if (weightOf < 1) throw invalid('weight')
  return {
    name: name as string,
    publicKey,
    peerId,
    origin: origin as string,
    region: region as string,
    weight: weightOf
  }
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: `validator set: ${reason}` })
}
