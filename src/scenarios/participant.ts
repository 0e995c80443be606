import { importSigningKey, publicKeyToText, type SigningKey, sha256 } from '../codec/index.ts'

/** Somebody with a key: the same one every time for a name. */
export type Participant = {
  readonly name: string
  readonly key: SigningKey
  /** Text of the public key. */
  readonly account: string
}

export function participant(name: string): Participant {
  const key = importSigningKey('ed25519', sha256(new TextEncoder().encode(`blyan scenario ${name}`)))
  return { name, key, account: publicKeyToText(key.publicKey) }
}
