import { BlyanError } from '../errors/index.ts'
import { bytesToHex } from './bytes.ts'

/** A whole number from 0 to 2^53 - 1 out of a decoded object. Throws ENCODING_INVALID naming `what`. */
export function readNatural(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new BlyanError('ENCODING_INVALID', { reason: `${what}: not a natural number` })
}

/** A digest of 32 bytes, as hex. Throws ENCODING_INVALID naming `what`. */
export function readDigest(value: unknown, what: string): string {
  if (value instanceof Uint8Array && value.length === 32) return bytesToHex(value)
  throw new BlyanError('ENCODING_INVALID', { reason: `${what}: digest is not 32 bytes` })
}
