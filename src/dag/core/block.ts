import { type CanonicalValue, CID, cidOfObject, decodeCanonical, encodeCanonical } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

export type ChainId = 'A' | 'B' | 'C' | 'D'
export const chainIds: readonly ChainId[] = ['A', 'B', 'C', 'D']

/** The header fields of the seed (004, section 8.2), as a DAG-CBOR object that any IPFS tool can walk. */
export type BlockHeader = {
  /** Place in its chain, from 0. */
  readonly index: number
  readonly chain_id: ChainId
  /** Chains A, C and D: the block before. Chain B: the meta block, the parent version, and what else it builds on. */
  readonly depends_on: readonly CID[]
  readonly block_type: string
  readonly expert_name: string | null
  readonly layer_id: number | null
  /** SHA-256 in the CID of the tensor, or of the payload where there is no tensor. */
  readonly payload_hash: Uint8Array
  readonly nonce: number
  /** Account that submitted it, with multicodec prefix; empty for blocks of genesis. */
  readonly miner_pub: Uint8Array
  readonly payload_sig: Uint8Array
  /** The tensor, where there is one. */
  readonly tensor: CID | null
  /** The event that it was made from; null for blocks of genesis. */
  readonly event: CID | null
}

export type Block = { readonly cid: CID; readonly header: BlockHeader; readonly bytes: Uint8Array }

const blockBytesMax = 64 * 1024
export const dependenciesMax = 64

export function makeBlock(header: BlockHeader): Block {
  const bytes = encodeCanonical({ ...header, depends_on: [...header.depends_on] } as unknown as CanonicalValue)
  return { cid: cidOfObject(bytes), header, bytes }
}

/** Throws ENCODING_INVALID. */
export function decodeBlock(bytes: Uint8Array): Block {
  const value = decodeCanonical(bytes, { sizeBytesMax: blockBytesMax }) as unknown as BlockHeader
  const isLink = (link: unknown): boolean => CID.asCID(link) !== null
  const isWhole =
    typeof value === 'object' &&
    value !== null &&
    Number.isSafeInteger(value.index) &&
    chainIds.includes(value.chain_id) &&
    Array.isArray(value.depends_on) &&
    value.depends_on.length <= dependenciesMax &&
    value.depends_on.every(isLink) &&
    typeof value.block_type === 'string' &&
    (value.event === null || isLink(value.event)) &&
    (value.tensor === null || isLink(value.tensor))
  if (!isWhole) throw new BlyanError('ENCODING_INVALID', { reason: 'block header' })
  return { cid: cidOfObject(bytes), header: value, bytes }
}
