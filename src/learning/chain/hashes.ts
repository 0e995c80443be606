import { bytesToHex, concatBytes, hexToBytes, parseCid, sha256 } from '../../codec/index.ts'
import type { Genesis } from '../../dag/index.ts'

const text = new TextEncoder()
const separator = new Uint8Array([0])

/** SHA-256 over texts (each ended by a zero byte) and bytes, in order. */
export function digestOf(...pieces: readonly (string | Uint8Array)[]): Uint8Array {
  return sha256(
    concatBytes(...pieces.flatMap(piece => (typeof piece === 'string' ? [text.encode(piece), separator] : [piece])))
  )
}

export function hexOf(...pieces: readonly (string | Uint8Array)[]): string {
  return bytesToHex(digestOf(...pieces))
}

/** A whole number from 0 to below `limit`. */
export function numberBelow(digest: Uint8Array, limit: bigint): bigint {
  return BigInt(`0x${bytesToHex(digest)}`) % limit
}

/** What a learner commits to before it shows its delta, hex. `salt`: 32 bytes, hex. */
export function commitmentOf(given: {
  readonly delta: string
  readonly salt: string
  readonly account: string
}): string {
  return bytesToHex(
    sha256(concatBytes(parseCid(given.delta).bytes, bytesOfHex(given.salt), text.encode(given.account)))
  )
}

/** What stands in for the commitment of a proposal, hex: its parts in order. */
export function proposalCommitment(parts: readonly { readonly name: string; readonly tensor: string }[]): string {
  return hexOf(...parts.flatMap(({ name, tensor }) => [name, tensor]))
}

export type Work = {
  readonly account: string
  readonly model: string
  /** 0 for a proposal. */
  readonly round: number
  /** Hex. */
  readonly commitment: string
}

/** Digest of the light proof of work with one nonce; the fixed part is made once. */
export function workDigest(genesis: Pick<Genesis, 'digest'>, work: Work): (nonce: number) => Uint8Array {
  const head = concatBytes(
    genesis.digest,
    text.encode(work.account),
    separator,
    text.encode(work.model),
    separator,
    wholeNumber(work.round),
    bytesOfHex(work.commitment)
  )
  const bytes = concatBytes(head, wholeNumber(0))
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return nonce => {
    view.setBigUint64(head.length, BigInt(nonce))
    return sha256(bytes)
  }
}

/** Zero bits that a digest begins with. */
export function leadingZeroBits(digest: Uint8Array): number {
  let bits = 0
  for (const byte of digest) {
    if (byte !== 0) return bits + Math.clz32(byte) - 24
    bits += 8
  }
  return bits
}

/** What the sequences of one operator's measurement are drawn from; `checkpoint` is the digest that the candidate waits for, hex. */
export function measurementSeed(given: {
  readonly checkpoint: string
  readonly candidate: string
  readonly operator: string
}): Uint8Array {
  return digestOf('measure', bytesOfHex(given.checkpoint), given.candidate, given.operator)
}

export function bytesOfHex(hex: string): Uint8Array {
  const bytes = hexToBytes(hex)
  if (bytes === undefined) throw new Error('not hex')
  return bytes
}

function wholeNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}
