import { type CanonicalValue, publicKeyFromText, publicKeyToText } from '../../codec/index.ts'
import type { Validator } from '../../consensus/index.ts'
import type { Genesis } from './genesis.ts'
import type { StateView } from './state.ts'
import { encodeSet, faultOfSet, nextSet, type SetChange, type ValidatorSet } from './validator-set.ts'

/*
 * The validators in the state (docs/protocol.md, "State"). Nothing is stored until the first change: the set of genesis
 * is known from genesis, so a network that never changes its set has the state it always had.
 */
const epochKey = 'validators/epoch'
const changesKey = 'validators/changes'
const wantedKey = 'validators/wanted'
/**
 * Sets of this many epochs stay in the state: evidence can be given about them. More where stake answers for it: who has
 * something to lose could end epochs fast by changing keys.
 */
export function epochsKept(genesis: Genesis): number {
  return genesis.file.economy === undefined ? 8 : 64
}

/** Where the epoch stands, as far as execution knows. */
export type EpochState = {
  readonly epoch: number
  readonly baseRound: number
  /** Time of the commit that began it. */
  readonly sinceMs: number
  /** Index of the commit that ends it, once declared. */
  readonly closesAt: number | null
}

/** A change that will be part of the next set, by the texts of keys. */
export type PendingChange =
  | { readonly kind: 'join' | 'leave' | 'remove'; readonly key: string }
  | { readonly kind: 'rotate'; readonly key: string; readonly newKey: string; readonly peerId: string | null }

/** What a candidate says of itself. */
export type Candidate = {
  readonly name: string
  readonly peerId: string
  readonly origin: string
  readonly region: string
}

export function readEpoch(state: StateView, genesis: Genesis): EpochState {
  const stored = state.get(epochKey) as EpochState | undefined
  return stored ?? { epoch: 0, baseRound: 0, sinceMs: genesis.timeMs, closesAt: null }
}

/** The member at a place of an epoch's set; undefined for a place that is none and an epoch that is not kept. */
export function memberAt(state: StateView, genesis: Genesis, epoch: number, index: number): Validator | undefined {
  const now = readEpoch(state, genesis).epoch
  if (epoch > now || epoch + epochsKept(genesis) <= now) return undefined
  if (epoch === 0) return genesis.committee.validators[index]
  const stored = state.get(memberKey(epoch, index)) as StoredMember | undefined
  return stored === undefined ? undefined : memberOfStored(stored)
}

/** The set of the epoch that execution is in. */
export function currentSet(state: StateView, genesis: Genesis): ValidatorSet {
  const { epoch, baseRound } = readEpoch(state, genesis)
  return { epoch, baseRound, members: membersOf(state, genesis, epoch) }
}

export function pendingChanges(state: StateView): readonly PendingChange[] {
  return (state.get(changesKey) as readonly PendingChange[] | undefined) ?? []
}

export function writePendingChanges(state: StateView, changes: readonly PendingChange[]): void {
  if (changes.length === 0) state.delete(changesKey)
  else state.set(changesKey, changes as unknown as CanonicalValue)
}

/** The whole next set, where stake decides about it; undefined when it is the one there is. */
export function wantedSet(state: StateView): Validator[] | undefined {
  const stored = state.get(wantedKey) as readonly StoredMember[] | undefined
  return stored?.map(memberOfStored)
}

/** Asks for a whole next set; undefined takes that back. The set must have no fault (`faultOfSet`). */
export function writeWantedSet(state: StateView, members: readonly Validator[] | undefined): void {
  if (members === undefined) {
    if (state.get(wantedKey) !== undefined) state.delete(wantedKey)
  } else state.set(wantedKey, members.map(storedMember))
}

/** Whether the next epoch has another set than this one. */
export function isSetChanging(state: StateView): boolean {
  return pendingChanges(state).length > 0 || state.get(wantedKey) !== undefined
}

/** What the set becomes if the epoch ends with these changes, or with the set that is wanted. */
export function setAfter(state: StateView, genesis: Genesis, changes: readonly PendingChange[]): Validator[] {
  const wanted = wantedSet(state)
  if (wanted !== undefined) return wanted
  const { members } = currentSet(state, genesis)
  return nextSet(
    members,
    changes.map(change => readChange(state, change)).filter(change => change !== undefined)
  )
}

export function readCandidate(state: StateView, key: string): Candidate | undefined {
  return state.get(candidateKey(key)) as Candidate | undefined
}

export function writeCandidate(state: StateView, key: string, candidate: Candidate): void {
  state.set(candidateKey(key), candidate)
}

export function candidateKeys(state: StateView): readonly string[] {
  return (state.get(candidatesKey) as readonly string[] | undefined) ?? []
}

export function writeCandidateKeys(state: StateView, keys: readonly string[]): void {
  if (keys.length === 0) state.delete(candidatesKey)
  else state.set(candidatesKey, [...keys])
}

/** Texts of the keys that approve: of a candidate's joining, or of a member's removal. */
export function readApprovals(state: StateView, of: 'join' | 'remove', key: string): readonly string[] {
  return (state.get(approvalsKey(of, key)) as readonly string[] | undefined) ?? []
}

export function writeApprovals(
  state: StateView,
  of: 'join' | 'remove',
  key: string,
  approvers: readonly string[]
): void {
  if (approvers.length === 0) state.delete(approvalsKey(of, key))
  else state.set(approvalsKey(of, key), [...approvers])
}

export function deleteCandidate(state: StateView, key: string): void {
  state.delete(candidateKey(key))
  writeApprovals(state, 'join', key, [])
  writeCandidateKeys(
    state,
    candidateKeys(state).filter(one => one !== key)
  )
}

/** Whether a closing is to be declared with the checkpoint that is made now. */
export function mustDeclareClosing(state: StateView, genesis: Genesis, timestampMs: number): boolean {
  const { sinceMs, closesAt } = readEpoch(state, genesis)
  return closesAt === null && isSetChanging(state) && timestampMs - sinceMs >= genesis.parameters.epochMs
}

export function declareClosing(state: StateView, genesis: Genesis, closesAt: number): void {
  state.set(epochKey, { ...readEpoch(state, genesis), closesAt })
}

/** Ends the epoch: the next set is written and the changes that made it are done with. Gives the encoded set. */
export function closeEpoch(state: StateView, genesis: Genesis, at: { round: number; timestampMs: number }): Uint8Array {
  const { epoch } = readEpoch(state, genesis)
  const changes = pendingChanges(state)
  const members = setAfter(state, genesis, changes)
  if (faultOfSet(members) !== undefined) throw new Error('changes were taken in that make no set')
  const set: ValidatorSet = { epoch: epoch + 1, baseRound: at.round, members }
  for (const change of changes) {
    if (change.kind === 'join') deleteCandidate(state, change.key)
    else {
      // A new key does not shake off what others have approved against its owner.
      if (change.kind === 'rotate')
        writeApprovals(state, 'remove', change.newKey, readApprovals(state, 'remove', change.key))
      writeApprovals(state, 'remove', change.key, [])
    }
  }
  writePendingChanges(state, [])
  writeWantedSet(state, undefined)
  state.set(epochKey, { epoch: set.epoch, baseRound: at.round, sinceMs: at.timestampMs, closesAt: null })
  for (const [index, member] of members.entries()) state.set(memberKey(set.epoch, index), storedMember(member))
  forgetSet(state, set.epoch - epochsKept(genesis))
  return encodeSet(set)
}

type StoredMember = Omit<Validator, 'publicKey'> & { readonly key: Uint8Array }

function storedMember({ publicKey, ...rest }: Validator): StoredMember {
  return { ...rest, key: publicKey }
}

function memberOfStored({ key, ...rest }: StoredMember): Validator {
  return { ...rest, publicKey: key }
}

const candidatesKey = 'validators/candidates'
const candidateKey = (key: string): string => `candidate/${key}`
const approvalsKey = (of: 'join' | 'remove', key: string): string => `approvals/${of}/${key}`
const memberKey = (epoch: number, index: number): string => `validators/set/${epoch}/${index}`

function membersOf(state: StateView, genesis: Genesis, epoch: number): Validator[] {
  const members: Validator[] = []
  for (let index = 0; ; index++) {
    const member = memberAt(state, genesis, epoch, index)
    if (member === undefined) return members
    members.push(member)
  }
}

function readChange(state: StateView, change: PendingChange): SetChange | undefined {
  const key = publicKeyFromText(change.key)
  if (change.kind === 'rotate')
    return { kind: 'rotate', key, newKey: publicKeyFromText(change.newKey), peerId: change.peerId }
  if (change.kind !== 'join') return { kind: change.kind, key }
  const candidate = readCandidate(state, change.key)
  return candidate === undefined ? undefined : { kind: 'join', member: { ...candidate, publicKey: key, weight: 1 } }
}

/** Places run without a gap from 0, so the first that is missing ends the set. */
function forgetSet(state: StateView, epoch: number): void {
  for (let index = 0; state.get(memberKey(epoch, index)) !== undefined; index++) state.delete(memberKey(epoch, index))
}

export function keyTextOf(member: Validator): string {
  return publicKeyToText(member.publicKey)
}
