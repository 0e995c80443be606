import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { BlyanError } from '../errors/index.ts'
import { sha256 } from './canonical.ts'

export { CID }

const dagCborCode = 0x71
const rawCode = 0x55
const sha256Code = 0x12

/** CIDv1 of a DAG-CBOR object whose SHA-256 is `digest`. */
export function cidOfDigest(digest: Uint8Array): CID {
  return CID.createV1(dagCborCode, createDigest(sha256Code, digest))
}

/** CIDv1 of canonical DAG-CBOR bytes. */
export function cidOfObject(bytes: Uint8Array): CID {
  return cidOfDigest(sha256(bytes))
}

/** CIDv1 of a raw leaf whose SHA-256 is `digest`. */
export function rawCid(digest: Uint8Array): CID {
  return CID.createV1(rawCode, createDigest(sha256Code, digest))
}

/** The 32 bytes of SHA-256 in a CID. */
export function digestOfCid(cid: CID): Uint8Array {
  return cid.multihash.digest
}

/** Reads a CIDv1 with SHA-256. Throws CID_INVALID. */
export function parseCid(text: string): CID {
  let cid: CID
  try {
    cid = CID.parse(text)
  } catch (error) {
    throw new BlyanError('CID_INVALID', { text: text.slice(0, 80) }, { cause: error })
  }
  if (cid.version !== 1 || cid.multihash.code !== sha256Code || cid.multihash.digest.length !== 32) {
    throw new BlyanError('CID_INVALID', { text: text.slice(0, 80) })
  }
  return cid
}
