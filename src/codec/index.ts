/**
 * codec: canonical bytes and what is done with them: hashes, CIDs, signatures, keys.
 * In: plain values and bytes. Out: DAG-CBOR bytes, SHA-256 digests, CIDs, signatures, key files.
 * Never touches: files, the network, a clock.
 */
export { bytesEqual, bytesToHex, compareBytes, concatBytes, hexToBytes } from './bytes.ts'
export {
  type CanonicalValue,
  type DecodeLimits,
  decodeCanonical,
  encodeCanonical,
  sha256,
  sha256Hex
} from './canonical.ts'
export { CID, cidOfDigest, cidOfObject, digestOfCid, parseCid, rawCid } from './cid.ts'
export { readDigest, readNatural } from './fields.ts'
export { decryptKey, encryptKey, type KeyFile, keyFileSchemaName, type ScryptCost, scryptCosts } from './key-file.ts'
export type { SignatureCheck } from './signature-batch.ts'
export { createSignaturePool, type SignaturePool } from './signature-pool.ts'
export {
  generateSigningKey,
  hasFormOfPublicKey,
  importSigningKey,
  type PublicKeyText,
  publicKeyFromText,
  publicKeyToText,
  type SignatureScheme,
  type SigningKey,
  signatureAcceptable,
  verifySignature,
  verifySignatureSync
} from './signatures.ts'
