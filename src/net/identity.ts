import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'

/** The libp2p key of a 32-byte Ed25519 seed. */
export async function privateKeyOfSecret(secret: Uint8Array): Promise<PrivateKey> {
  return generateKeyPairFromSeed('Ed25519', secret)
}

/** The peer id that a node with this Ed25519 seed has. */
export async function peerIdOfSecret(secret: Uint8Array): Promise<string> {
  return peerIdFromPrivateKey(await privateKeyOfSecret(secret)).toString()
}
