import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'

/** The libp2p key of a 32-byte Ed25519 seed. */
export async function privateKeyOfSecret(secret: Uint8Array): Promise<PrivateKey> {
  return generateKeyPairFromSeed('Ed25519', secret)
}

/** The peer id of a node key: Ed25519, with its multicodec prefix. */
export function peerIdOfPublicKey(publicKey: Uint8Array): string {
  return peerIdFromPublicKey(publicKeyFromRaw(publicKey.subarray(2))).toString()
}

/** The node key of a peer id, with its multicodec prefix; undefined for peers with keys of another kind. */
export function publicKeyOfPeerId(peerId: string): Uint8Array | undefined {
  try {
    const { publicKey } = peerIdFromString(peerId)
    return publicKey?.type === 'Ed25519' ? Uint8Array.from([0xed, 0x01, ...publicKey.raw]) : undefined
  } catch {
    return undefined
  }
}
