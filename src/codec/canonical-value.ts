import type { CID } from 'multiformats/cid'

/** What DAG-CBOR can hold. Integers beyond 2^53 are `bigint`; there are no floats in what we sign. */
export type CanonicalValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | CID
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue }
