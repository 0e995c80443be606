import { bytesToHex, decodeCanonical, encodeCanonical, hexToBytes } from '../codec/index.ts'
import type { Committee, EpochStart } from '../consensus/index.ts'
import { type Database, tableKey, tableRange, type Write } from '../storage/index.ts'
import { decodeVotes } from './chain-records.ts'
import { checkpointDigest, decodeCheckpoint } from './core/checkpoint.ts'
import type { Genesis } from './core/genesis.ts'
import { quorumOf, type SetLink } from './core/set-chain.ts'
import { committeeOfSet, decodeSet } from './core/validator-set.ts'

/*
 * Table p: epoch -> the set it began with and the checkpoint that named it. A row is never removed, nor are the
 * certificates of these checkpoints (table q): they are the light proof of who the validators are.
 */

/** How an epoch began. */
export type EpochRecord = {
  readonly epoch: number
  /** The encoded set. */
  readonly set: Uint8Array
  readonly baseRound: number
  /** Digest, sequence, commit, time and bytes of the checkpoint that ended the epoch before. */
  readonly digest: string
  readonly sequence: number
  readonly commitIndex: number
  readonly timestampMs: number
  readonly checkpoint: Uint8Array
}

const rowBytesMax = 1024 * 1024
const committeesInMemoryMax = 16

/** The record of the epoch that follows a boundary checkpoint. Throws ENCODING_INVALID. */
export function epochRecordOf(checkpointBytes: Uint8Array, setBytes: Uint8Array): EpochRecord {
  const { sequence, commitIndex, timestampMs } = decodeCheckpoint(checkpointBytes)
  const { epoch, baseRound } = decodeSet(setBytes)
  const digest = checkpointDigest(checkpointBytes)
  return { epoch, set: setBytes, baseRound, digest, sequence, commitIndex, timestampMs, checkpoint: checkpointBytes }
}

export function epochWrite(record: EpochRecord): Write {
  return {
    key: tableKey('p', record.epoch),
    value: encodeCanonical([
      record.epoch,
      record.set,
      record.baseRound,
      hexToBytes(record.digest)!,
      record.sequence,
      record.commitIndex,
      record.timestampMs,
      record.checkpoint
    ])
  }
}

function decodeEpoch(bytes: Uint8Array): EpochRecord {
  const [epoch, set, baseRound, digest, sequence, commitIndex, timestampMs, checkpoint] = decodeCanonical(bytes, {
    sizeBytesMax: rowBytesMax
  }) as [number, Uint8Array, number, Uint8Array, number, number, number, Uint8Array]
  return { epoch, set, baseRound, digest: bytesToHex(digest), sequence, commitIndex, timestampMs, checkpoint }
}

/** As stored: the last epoch has begun once the checkpoint before it is certified. */
export async function openEpochBook(
  genesis: Genesis,
  database: Database,
  certifiedSequence: number
): Promise<EpochBook> {
  const newest: EpochRecord[] = []
  for await (const [, value] of database.range({ ...tableRange('p'), reverse: true, limit: 2 }))
    newest.push(decodeEpoch(value))
  const begun = newest.find(record => record.sequence <= certifiedSequence)
  return new EpochBook({ genesis, database, begun, next: newest[0] === begun ? undefined : newest[0] })
}

type EpochBookNeeds = {
  readonly genesis: Genesis
  readonly database: Database
  readonly begun: EpochRecord | undefined
  readonly next: EpochRecord | undefined
}

/** Which epoch this node is in, and who its members are and were. */
export class EpochBook {
  readonly #genesis: Genesis
  readonly #database: Database
  readonly #committees = new Map<number, Committee>()
  #epoch: EpochStart
  /** Executed up to its end, and not certified yet. */
  #next: EpochRecord | undefined

  constructor(needs: EpochBookNeeds) {
    const { committee, digest, timeMs } = needs.genesis
    this.#genesis = needs.genesis
    this.#database = needs.database
    this.#epoch = { committee, digest, timestampMs: timeMs }
    if (needs.begun !== undefined) this.#begin(needs.begun)
    this.#next = needs.next
  }

  get epoch(): EpochStart {
    return this.#epoch
  }

  /** Index of the commit that ended the epoch, while its checkpoint still lacks a quorum. */
  get endedAt(): number | undefined {
    return this.#next?.commitIndex
  }

  committeeOf(epoch: number): Committee | undefined {
    if (epoch === 0) return this.#genesis.committee
    const known = this.#committees.get(epoch) ?? (epoch === this.#next?.epoch ? this.#committee(this.#next) : undefined)
    if (known !== undefined) return known
    const stored = Number.isSafeInteger(epoch) && epoch > 0 ? this.#database.getSync(tableKey('p', epoch)) : undefined
    return stored === undefined ? undefined : this.#committee(decodeEpoch(stored))
  }

  /** To be called with the boundary checkpoint when it is made; the write goes into the batch of its commit. */
  ended(record: EpochRecord): Write {
    this.#next = record
    return epochWrite(record)
  }

  noteCertified(sequence: number): void {
    if (this.#next === undefined || sequence < this.#next.sequence) return
    this.#begin(this.#next)
    this.#next = undefined
  }

  /** The light proof of the members of `epoch`; undefined when a certificate is missing here. */
  async links(epoch: number): Promise<SetLink[] | undefined> {
    const links: SetLink[] = []
    for (let at = 1; at <= epoch; at++) {
      const stored = await this.#database.get(tableKey('p', at))
      if (stored === undefined) return undefined
      const record = decodeEpoch(stored)
      const votes = await this.#database.get(tableKey('q', record.sequence))
      const committee = this.committeeOf(at - 1)
      if (votes === undefined || committee === undefined) return undefined
      links.push({ checkpoint: record.checkpoint, votes: quorumOf(decodeVotes(votes), committee), set: record.set })
    }
    return links
  }

  #begin(record: EpochRecord): void {
    this.#epoch = {
      committee: this.#committee(record),
      digest: hexToBytes(record.digest)!,
      timestampMs: record.timestampMs
    }
  }

  #committee(record: EpochRecord): Committee {
    const committee = committeeOfSet(decodeSet(record.set), this.#genesis.degraded)
    this.#committees.set(record.epoch, committee)
    if (this.#committees.size > committeesInMemoryMax) this.#committees.delete(this.#committees.keys().next().value!)
    return committee
  }
}
