import {
  bytesToHex,
  concatBytes,
  encodeCanonical,
  hexToBytes,
  publicKeyFromText,
  verifySignatureSync
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { GifterKind } from './node.ts'

const domain = new TextEncoder().encode('blyan/gift/1')

/** What the gifter agrees to. */
export type Gift = {
  /** The node's account. */
  readonly account: string
  readonly kind: GifterKind
  readonly uptimePpm: number
  readonly sharePpm: number
}

/** What a gifter signs with the key of its account: the network, the node and the terms. */
export function giftSigningBytes(genesisDigest: Uint8Array, { account, kind, uptimePpm, sharePpm }: Gift): Uint8Array {
  return concatBytes(domain, genesisDigest, encodeCanonical([account, kind, uptimePpm, sharePpm]))
}

/** A gifter's signature in hex, for `consent` of a registration. */
export function giftConsent(
  genesisDigest: Uint8Array,
  gift: Gift,
  gifter: { sign(message: Uint8Array): Uint8Array }
): string {
  return bytesToHex(gifter.sign(giftSigningBytes(genesisDigest, gift)))
}

/** Whoever gives a node to itself need not sign twice. Throws GIFTED_CONSENT_WRONG. */
export function requireGiftConsent(genesisDigest: Uint8Array, gift: Gift, gifter: string, consent: string): void {
  if (gifter === gift.account && consent === '') return
  const signature = hexToBytes(consent)
  const bytes = giftSigningBytes(genesisDigest, gift)
  if (signature === undefined || !verifySignatureSync(publicKeyFromText(gifter), bytes, signature))
    throw new BlyanError('GIFTED_CONSENT_WRONG', { gifter })
}
