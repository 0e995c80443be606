import { bytesToHex } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Database, tableKey, tableRange } from '../storage/index.ts'
import { decodeRecord, type EventRecord, numberAt } from './chain-records.ts'
import type { Checkpoint } from './core/checkpoint.ts'
import type { SignedEvent } from './core/event.ts'
import { eventLeaf } from './core/executor.ts'
import { merklePath } from './core/merkle.ts'
import { checkpointsPerProofMax, encodeProof, proofBytesMax } from './core/proof.ts'
import { type SetLink, setLinksMax, type Vote } from './core/set-chain.ts'

type ProofNeeds = {
  readonly database: Database
  readonly chains: {
    event(digest: string): Promise<{ readonly record: EventRecord; readonly event: SignedEvent } | undefined>
    checkpoint(
      sequence: number
    ): Promise<
      { readonly bytes: Uint8Array; readonly checkpoint: Checkpoint; readonly votes: readonly Vote[] } | undefined
    >
    setLinks(epoch: number): Promise<readonly SetLink[] | undefined>
  }
}

/** The finality proof of a final event, from what is stored. Throws EVENT_UNKNOWN, PROOF_NOT_YET, PROOF_TOO_LARGE. */
export async function buildProof(needs: ProofNeeds, digest: string): Promise<Uint8Array> {
  const { database, chains } = needs
  const eventId = digest
  const found = await chains.event(digest)
  if (found === undefined) throw new BlyanError('EVENT_UNKNOWN', { eventId })
  const first = await checkpointOfEvent(needs, found.record.commitIndex)
  if (first === undefined) throw new BlyanError('PROOF_NOT_YET', { eventId })
  const checkpoints: Uint8Array[] = []
  for (let sequence = first.sequence; checkpoints.length < checkpointsPerProofMax; sequence++) {
    const stored = await chains.checkpoint(sequence)
    if (stored === undefined) break
    checkpoints.push(stored.bytes)
    if (stored.votes.length === 0) continue
    const leaves = await leavesOf(database, first)
    const index = found.record.sequence - first.eventFirst
    const sets = await setsUpTo(needs, first.epoch, eventId)
    const proof = encodeProof({
      event: found.event.bytes,
      refusal: found.record.refusal,
      index,
      path: merklePath(leaves, index),
      checkpoints,
      votes: stored.votes,
      sets
    })
    if (proof.length > proofBytesMax) throw tooLarge(sets.length)
    return proof
  }
  throw new BlyanError('PROOF_NOT_YET', { eventId })
}

/** Sequence of the first checkpoint whose commit is `commitIndex` or later. */
export async function firstCheckpointAt(database: Database, commitIndex: number): Promise<number | undefined> {
  for await (const [, value] of database.range({
    from: tableKey('j', commitIndex),
    to: tableRange('j').to,
    limit: 1
  }))
    return numberAt(value, 0)
  return undefined
}

async function setsUpTo({ chains }: ProofNeeds, epoch: number, eventId: string): Promise<readonly SetLink[]> {
  if (epoch > setLinksMax) throw tooLarge(epoch)
  const sets = await chains.setLinks(epoch)
  // The certificate of the last boundary may still be on its way to the disk.
  if (sets === undefined) throw new BlyanError('PROOF_NOT_YET', { eventId })
  return sets
}

async function checkpointOfEvent(
  { database, chains }: ProofNeeds,
  commitIndex: number
): Promise<Checkpoint | undefined> {
  const first = await firstCheckpointAt(database, commitIndex)
  return first === undefined ? undefined : (await chains.checkpoint(first))?.checkpoint
}

async function leavesOf(database: Database, checkpoint: Checkpoint): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = []
  for await (const [, digest] of database.range({
    from: tableKey('s', checkpoint.eventFirst),
    to: tableRange('s').to,
    limit: checkpoint.eventCount
  })) {
    const stored = await database.get(tableKey('e', digest))
    leaves.push(eventLeaf(bytesToHex(digest), decodeRecord(stored!).refusal))
  }
  return leaves
}

function tooLarge(epochs: number): BlyanError {
  return new BlyanError('PROOF_TOO_LARGE', { epochs, epochsMax: setLinksMax })
}
