import { type CanonicalValue, decodeCanonical, encodeCanonical, hexToBytes } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { checkpointDigest, decodeCheckpoint } from './checkpoint.ts'
import { decodeEvent, eventId, verifyEventSync } from './event.ts'
import { eventLeaf } from './executor.ts'
import type { Genesis } from './genesis.ts'
import { verifyMerklePath } from './merkle.ts'
import {
  decodeLink,
  decodeVoteList,
  encodeLink,
  followSets,
  type SetLink,
  setLinksMax,
  signersOf,
  type Vote
} from './set-chain.ts'

/** Everything that shows, to somebody who has only the genesis file, that an event is final and what became of it. */
export type FinalityProof = {
  /** The signed event. */
  readonly event: Uint8Array
  /** Empty when it was applied, the error code when it was refused. */
  readonly refusal: string
  /** Place in the event tree of the first checkpoint. */
  readonly index: number
  readonly path: readonly Uint8Array[]
  /** The checkpoint that covers the event, then those after it up to one that a quorum signed. */
  readonly checkpoints: readonly Uint8Array[]
  readonly votes: readonly Vote[]
  /** How the validators of genesis became those who signed: one link an epoch, none in the first. */
  readonly sets: readonly SetLink[]
}

export type ProofVerdict = {
  readonly valid: boolean
  readonly reason: string | null
  readonly eventId: string | null
  readonly checkpoint: number | null
  /** Names of the validators whose signatures were checked. */
  readonly signers: readonly string[]
}

export const proofKind = 'blyan.finality-proof/1'
export const checkpointsPerProofMax = 64
export const proofBytesMax = 16 * 1024 * 1024

export function encodeProof(proof: FinalityProof): Uint8Array {
  return encodeCanonical({
    kind: proofKind,
    event: proof.event,
    refusal: proof.refusal,
    index: proof.index,
    path: [...proof.path],
    checkpoints: [...proof.checkpoints],
    votes: proof.votes.map(vote => [vote.author, vote.signature]),
    sets: proof.sets.map(encodeLink)
  })
}

/** Checks a proof against genesis alone, offline. Any bit that differs makes it invalid; nothing is thrown. */
export function verifyProof(bytes: Uint8Array, genesis: Genesis): ProofVerdict {
  try {
    return verify(decodeProof(bytes), genesis)
  } catch (error) {
    return rejected(error instanceof BlyanError ? error.message : 'not a finality proof')
  }
}

function verify(proof: FinalityProof, genesis: Genesis): ProofVerdict {
  const event = decodeEvent(proof.event)
  if (!verifyEventSync(event, genesis.digest)) return rejected('the signature of the event is wrong for this network')
  const chain = proof.checkpoints.map(decodeCheckpoint)
  const first = chain[0]!
  const leaf = eventLeaf(event.digest, proof.refusal)
  if (!verifyMerklePath(hexToBytes(first.eventRoot)!, leaf, proof.index, first.eventCount, proof.path))
    return rejected('the event is not in the checkpoint')
  const committee = followSets(proof.sets, genesis)
  for (const [place, checkpoint] of chain.entries()) {
    // The last checkpoint of an epoch is always certified: no chain has to cross it.
    if (checkpoint.epoch !== committee.epoch) return rejected('a checkpoint of another epoch than the last set')
    if (place > 0 && checkpoint.previous !== checkpointDigest(proof.checkpoints[place - 1]!))
      return rejected('the checkpoints are no chain')
  }
  const signers = signersOf(proof.votes, checkpointDigest(proof.checkpoints.at(-1)!), committee, genesis.digest)
  return {
    valid: true,
    reason: null,
    eventId: eventId(hexToBytes(event.digest)!).toString(),
    checkpoint: first.sequence,
    signers
  }
}

function decodeProof(bytes: Uint8Array): FinalityProof {
  const value = decodeCanonical(bytes, { sizeBytesMax: proofBytesMax })
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not a map')
  const { kind, event, refusal, index, path, checkpoints, votes, sets, ...rest } = value as Record<
    string,
    CanonicalValue
  >
  if (kind !== proofKind || Object.keys(rest).length > 0) throw invalid('another kind of file')
  if (!(event instanceof Uint8Array) || typeof refusal !== 'string' || !Number.isSafeInteger(index))
    throw invalid('event')
  const list = (name: string, from: unknown, lengthMax: number): readonly CanonicalValue[] => {
    if (!Array.isArray(from) || from.length > lengthMax) throw invalid(name)
    return from
  }
  const bytesOf = (item: unknown): Uint8Array => {
    if (!(item instanceof Uint8Array)) throw invalid('bytes')
    return item
  }
  if (list('checkpoints', checkpoints, checkpointsPerProofMax).length === 0) throw invalid('checkpoints')
  return {
    event,
    refusal,
    index: index as number,
    path: list('path', path, 64).map(bytesOf),
    checkpoints: list('checkpoints', checkpoints, checkpointsPerProofMax).map(bytesOf),
    votes: decodeVoteList(votes),
    sets: list('sets', sets, setLinksMax).map(decodeLink)
  }
}

function rejected(reason: string): ProofVerdict {
  return { valid: false, reason, eventId: null, checkpoint: null, signers: [] }
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: `finality proof: ${reason}` })
}
