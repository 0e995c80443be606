import {
  bytesToHex,
  type CanonicalValue,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  readDigest,
  readNatural,
  sha256
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

/** What validators sign after executing: 2/3+1 signatures make it a portable proof of everything below it. */
export type Checkpoint = {
  readonly epoch: number
  readonly sequence: number
  readonly commitIndex: number
  readonly commitDigest: string
  /** Digest of the checkpoint before; of genesis for the first. */
  readonly previous: string
  readonly eventFirst: number
  readonly eventCount: number
  readonly eventRoot: string
  readonly stateRoot: string
  /** SHA-256 in the CIDs of the chain heads A, B, C, D; null for an empty chain. */
  readonly chainHeads: readonly (string | null)[]
  readonly timestampMs: number
  /** SHA-256 of the set of the next epoch; only in the checkpoint that ends an epoch. */
  readonly nextSet?: string
}

const domain = new TextEncoder().encode('blyan/checkpoint/1')
const checkpointBytesMax = 4096
const version = { inside: 1, boundary: 2 } as const

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  return encodeCanonical([
    checkpoint.nextSet === undefined ? version.inside : version.boundary,
    checkpoint.epoch,
    checkpoint.sequence,
    checkpoint.commitIndex,
    hexToBytes(checkpoint.commitDigest)!,
    hexToBytes(checkpoint.previous)!,
    checkpoint.eventFirst,
    checkpoint.eventCount,
    hexToBytes(checkpoint.eventRoot)!,
    hexToBytes(checkpoint.stateRoot)!,
    checkpoint.chainHeads.map(head => (head === null ? null : hexToBytes(head)!)),
    checkpoint.timestampMs,
    ...(checkpoint.nextSet === undefined ? [] : [hexToBytes(checkpoint.nextSet)!])
  ])
}

/** Throws ENCODING_INVALID. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const value = decodeCanonical(bytes, { sizeBytesMax: checkpointBytesMax })
  if (!Array.isArray(value)) throw invalid()
  const isBoundary = value[0] === version.boundary
  if ((!isBoundary && value[0] !== version.inside) || value.length !== (isBoundary ? 13 : 12)) throw invalid()
  const heads = value[10]
  if (!Array.isArray(heads) || heads.length !== 4) throw invalid()
  return {
    epoch: readNatural(value[1], 'checkpoint'),
    sequence: readNatural(value[2], 'checkpoint'),
    commitIndex: readNatural(value[3], 'checkpoint'),
    commitDigest: readDigest(value[4], 'checkpoint'),
    previous: readDigest(value[5], 'checkpoint'),
    eventFirst: readNatural(value[6], 'checkpoint'),
    eventCount: readNatural(value[7], 'checkpoint'),
    eventRoot: readDigest(value[8], 'checkpoint'),
    stateRoot: readDigest(value[9], 'checkpoint'),
    chainHeads: heads.map((head: CanonicalValue) => (head === null ? null : readDigest(head, 'checkpoint'))),
    timestampMs: readNatural(value[11], 'checkpoint'),
    ...(isBoundary ? { nextSet: readDigest(value[12], 'checkpoint') } : {})
  }
}

export function checkpointDigest(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes))
}

export function checkpointSigningBytes(genesisDigest: Uint8Array, digest: string): Uint8Array {
  return concatBytes(domain, genesisDigest, hexToBytes(digest)!)
}

function invalid(): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: 'checkpoint' })
}
