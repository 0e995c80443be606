import { bytesEqual, type CanonicalValue, encodeCanonical, hexToBytes, verifySignatureSync } from '../../codec/index.ts'
import { type Committee, WeightCounter } from '../../consensus/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { checkpointDigest, checkpointSigningBytes, decodeCheckpoint } from './checkpoint.ts'
import type { Genesis } from './genesis.ts'
import { committeeOfSet, decodeSet, setDigest } from './validator-set.ts'

export type Vote = { readonly author: number; readonly signature: Uint8Array }

/** How one set handed over to the next: the checkpoint that ended its epoch, its members' signatures, the set it names. */
export type SetLink = {
  readonly checkpoint: Uint8Array
  readonly votes: readonly Vote[]
  /** The encoded set. */
  readonly set: Uint8Array
}

/** Longer chains are refused before a signature is checked. */
export const setLinksMax = 1024
const votesMax = 256

/**
 * Follows the validator sets from genesis, offline, and gives the committee of the last: each set is named by a checkpoint
 * that a quorum of the set before it signed. Throws ENCODING_INVALID naming what is wrong.
 */
export function followSets(links: readonly SetLink[], genesis: Genesis): Committee {
  let committee = genesis.committee
  for (const link of links) {
    const checkpoint = decodeCheckpoint(link.checkpoint)
    const from = committee.epoch
    if (checkpoint.epoch !== from) throw invalid(`a checkpoint of epoch ${checkpoint.epoch} does not end epoch ${from}`)
    if (checkpoint.nextSet === undefined || !bytesEqual(setDigest(link.set), hexToBytes(checkpoint.nextSet)!))
      throw invalid(`the set after epoch ${from} is not the one its checkpoint names`)
    signersOf(link.votes, checkpointDigest(link.checkpoint), committee, genesis.digest)
    const set = decodeSet(link.set)
    if (set.epoch !== from + 1) throw invalid(`the set after epoch ${from} is of epoch ${set.epoch}`)
    committee = committeeOfSet(set, genesis.degraded)
  }
  return committee
}

/** Names of those whose signatures make a quorum over a checkpoint. Throws ENCODING_INVALID when they make none. */
export function signersOf(
  votes: readonly Vote[],
  digest: string,
  committee: Committee,
  genesisDigest: Uint8Array
): readonly string[] {
  const message = checkpointSigningBytes(genesisDigest, digest)
  const weight = new WeightCounter(committee)
  const seen = new Set<number>()
  const signers: string[] = []
  for (const vote of votes) {
    const validator = committee.validators[vote.author]
    if (validator === undefined || seen.has(vote.author)) throw invalid('a signer that is no validator, or one twice')
    if (!verifySignatureSync(validator.publicKey, message, vote.signature))
      throw invalid(`the signature of ${validator.name} is wrong`)
    seen.add(vote.author)
    weight.add(vote.author)
    signers.push(validator.name)
  }
  if (!weight.isQuorum) throw invalid(`${signers.length} signatures are no quorum of epoch ${committee.epoch}`)
  return signers
}

/** As few of these votes as make a quorum: a chain of many sets should stay small. */
export function quorumOf(votes: readonly Vote[], committee: Committee): Vote[] {
  const weight = new WeightCounter(committee)
  return votes.filter(vote => {
    if (weight.isQuorum) return false
    weight.add(vote.author)
    return true
  })
}

export function encodeLink(link: SetLink): CanonicalValue {
  return [link.checkpoint, link.votes.map(vote => [vote.author, vote.signature]), link.set]
}

/** Throws ENCODING_INVALID. */
export function decodeLink(value: unknown): SetLink {
  if (!Array.isArray(value) || value.length !== 3) throw invalid('a link of sets is a list of three')
  const [checkpoint, votes, set] = value as readonly unknown[]
  if (!(checkpoint instanceof Uint8Array) || !(set instanceof Uint8Array)) throw invalid('a link of sets')
  return { checkpoint, votes: decodeVoteList(votes), set }
}

/** Throws ENCODING_INVALID. */
export function decodeVoteList(value: unknown): Vote[] {
  if (!Array.isArray(value) || value.length > votesMax) throw invalid('votes')
  return value.map((vote: unknown) => {
    if (!Array.isArray(vote) || vote.length !== 2) throw invalid('a vote')
    const [author, signature] = vote as readonly unknown[]
    if (typeof author !== 'number' || !(signature instanceof Uint8Array)) throw invalid('a vote')
    return { author, signature }
  })
}

export function encodeLinks(links: readonly SetLink[]): Uint8Array {
  return encodeCanonical(links.map(encodeLink))
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: `validator sets: ${reason}` })
}
