import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  verifySignatureSync
} from '../../codec/index.ts'
import { WeightCounter } from '../../consensus/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { checkpointDigest, checkpointSigningBytes, decodeCheckpoint } from './checkpoint.ts'
import { decodeEvent, eventId, verifyEventSync } from './event.ts'
import { eventLeaf } from './executor.ts'
import type { Genesis } from './genesis.ts'
import { verifyMerklePath } from './merkle.ts'

export type Vote = { readonly author: number; readonly signature: Uint8Array }

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
const proofBytesMax = 512 * 1024

export function encodeProof(proof: FinalityProof): Uint8Array {
  return encodeCanonical({
    kind: proofKind,
    event: proof.event,
    refusal: proof.refusal,
    index: proof.index,
    path: [...proof.path],
    checkpoints: [...proof.checkpoints],
    votes: proof.votes.map(vote => [vote.author, vote.signature]),
    // The chain of validator sets from genesis: none yet, the set of genesis holds.
    sets: []
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
  for (const [place, checkpoint] of chain.entries()) {
    if (checkpoint.epoch !== genesis.committee.epoch) return rejected('a checkpoint of an unknown epoch')
    if (place > 0 && checkpoint.previous !== checkpointDigest(proof.checkpoints[place - 1]!))
      return rejected('the checkpoints are no chain')
  }
  const message = checkpointSigningBytes(genesis.digest, checkpointDigest(proof.checkpoints.at(-1)!))
  const weight = new WeightCounter(genesis.committee)
  const seen = new Set<number>()
  const signers: string[] = []
  for (const vote of proof.votes) {
    const validator = genesis.committee.validators[vote.author]
    if (validator === undefined || seen.has(vote.author)) return rejected('a signer that is no validator, or one twice')
    if (!verifySignatureSync(validator.publicKey, message, vote.signature))
      return rejected(`the signature of ${validator.name} is wrong`)
    seen.add(vote.author)
    weight.add(vote.author)
    signers.push(validator.name)
  }
  if (!weight.isQuorum) return rejected(`${signers.length} signatures are no quorum`)
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
  if (!Array.isArray(sets) || sets.length > 0) throw invalid('validator sets that this version does not know')
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
    votes: list('votes', votes, 256).map(vote => {
      const [author, signature] = list('vote', vote, 2)
      if (typeof author !== 'number') throw invalid('vote')
      return { author, signature: bytesOf(signature) }
    })
  }
}

function rejected(reason: string): ProofVerdict {
  return { valid: false, reason, eventId: null, checkpoint: null, signers: [] }
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: `finality proof: ${reason}` })
}
