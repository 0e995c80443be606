import { base58btc } from 'multiformats/bases/base58'
import {
  bytesToHex,
  concatBytes,
  hexToBytes,
  publicKeyFromText,
  publicKeyToText,
  verifySignatureSync
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

const domain = new TextEncoder().encode('blyan/operator-key/1')
/** What stands before an Ed25519 key in a peer id: identity hash, length, and the envelope of libp2p. */
const peerIdPrefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
const ed25519Prefix = Uint8Array.of(0xed, 0x01)

type Signs = { readonly publicKey: Uint8Array; sign(message: Uint8Array): Uint8Array }

/** What a consensus key and a node's key sign to show that their owner wants this account to answer for them. */
function operatorSigningBytes(genesisDigest: Uint8Array, operator: string): Uint8Array {
  return concatBytes(domain, genesisDigest, publicKeyFromText(operator))
}

/** The peer id of a node with this Ed25519 key. */
export function peerIdOf(nodeKey: Uint8Array): string {
  return base58btc.encode(concatBytes(peerIdPrefix, nodeKey.subarray(ed25519Prefix.length))).slice(1)
}

/** Throws OPERATOR_PROOF_WRONG, OPERATOR_KEY_UNFIT. */
export function requireKeyProof(genesisDigest: Uint8Array, operator: string, key: string, proof: string): void {
  const publicKey = publicKeyFromText(key)
  if (publicKey[0] !== ed25519Prefix[0]) throw new BlyanError('OPERATOR_KEY_UNFIT', { key })
  requireSigned(publicKey, genesisDigest, operator, proof, key)
}

/** Throws OPERATOR_PROOF_WRONG: the peer id has no key in it, or that key has not signed. */
export function requirePeerProof(genesisDigest: Uint8Array, operator: string, peerId: string, proof: string): void {
  const nodeKey = keyOfPeerId(peerId)
  if (nodeKey === undefined) throw new BlyanError('OPERATOR_PROOF_WRONG', { key: peerId })
  requireSigned(nodeKey, genesisDigest, operator, proof, peerId)
}

/** Text of a consensus key with its proof, for a payload. */
export function keyProof(genesisDigest: Uint8Array, operator: string, key: Signs): { key: string; proof: string } {
  return { key: publicKeyToText(key.publicKey), proof: proofBy(genesisDigest, operator, key) }
}

/** The peer id of a node's key with its proof, for a payload. */
export function peerProof(
  genesisDigest: Uint8Array,
  operator: string,
  nodeKey: Signs
): { peerId: string; peerProof: string } {
  return { peerId: peerIdOf(nodeKey.publicKey), peerProof: proofBy(genesisDigest, operator, nodeKey) }
}

function proofBy(genesisDigest: Uint8Array, operator: string, key: Signs): string {
  return bytesToHex(key.sign(operatorSigningBytes(genesisDigest, operator)))
}

function requireSigned(
  publicKey: Uint8Array,
  genesisDigest: Uint8Array,
  operator: string,
  proof: string,
  key: string
): void {
  if (!verifySignatureSync(publicKey, operatorSigningBytes(genesisDigest, operator), hexToBytes(proof)!))
    throw new BlyanError('OPERATOR_PROOF_WRONG', { key })
}

function keyOfPeerId(peerId: string): Uint8Array | undefined {
  let bytes: Uint8Array
  try {
    bytes = base58btc.decode(`z${peerId}`)
  } catch {
    return undefined
  }
  if (bytes.length !== peerIdPrefix.length + 32 || peerIdPrefix.some((byte, place) => bytes[place] !== byte))
    return undefined
  return concatBytes(ed25519Prefix, bytes.subarray(peerIdPrefix.length))
}
