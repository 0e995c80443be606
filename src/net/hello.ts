import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { networkLimits } from './protocols.ts'

/** The first words of two nodes: which network, who, and whom they know. */
export type Hello = {
  /** CID of genesis; the hash of the Genesis Pact is part of it. */
  readonly genesis: string
  readonly version: string
  readonly roles: readonly string[]
  /** Some addresses with peer ids that the sender is connected to. */
  readonly addresses: readonly string[]
  /** Why the sender will not go on with the receiver; empty when it will. */
  readonly refusal: string
}

const textBytesMax = 256

export function encodeHello(hello: Hello): Uint8Array {
  return encodeCanonical([1, hello.genesis, hello.version, [...hello.roles], [...hello.addresses], hello.refusal])
}

/** Throws ENCODING_INVALID. */
export function decodeHello(bytes: Uint8Array): Hello {
  const value = decodeCanonical(bytes, { sizeBytesMax: networkLimits.helloBytesMax })
  if (!Array.isArray(value) || value.length !== 6 || value[0] !== 1) throw invalid()
  return {
    genesis: text(value[1]),
    version: text(value[2]),
    roles: texts(value[3], 8),
    addresses: texts(value[4], 32),
    refusal: text(value[5])
  }
}

function text(value: CanonicalValue | undefined): string {
  if (typeof value !== 'string' || value.length > textBytesMax) throw invalid()
  return value
}

function texts(value: CanonicalValue | undefined, countMax: number): string[] {
  if (!Array.isArray(value) || value.length > countMax) throw invalid()
  return value.map(text)
}

function invalid(): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: 'hello' })
}
