import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'

/** The libp2p key of a 32-byte Ed25519 seed. */
export async function privateKeyOfSecret(secret: Uint8Array): Promise<PrivateKey> {
  return generateKeyPairFromSeed('Ed25519', secret)
}

/** The peer id of a node key: Ed25519, with its multicodec prefix. */
export function peerIdOfPublicKey(publicKey: Uint8Array): string {
  return peerIdFromPublicKey(publicKeyFromRaw(publicKey.subarray(2))).toString()
}
