import { decodeCanonical, encodeCanonical } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'

/** The texts a model's tokenizer was published as. On chain: canonical DAG-CBOR of this, in an int8 TensorBlock. */
export type TokenizerRecord = {
  /** tokenizer.json */
  readonly tokenizer: string
  /** tokenizer_config.json, with the chat template in it. */
  readonly config: string
  /** generation_config.json, or "". */
  readonly generation: string
}

/** The largest published tokenizer.json has about 35 MB. */
export const tokenizerRecordSizeBytesMax = 64 * 1024 * 1024

export function encodeTokenizerRecord(record: TokenizerRecord): Uint8Array {
  const { tokenizer, config, generation } = record
  const bytes = encodeCanonical({ tokenizer, config, generation })
  if (bytes.length <= tokenizerRecordSizeBytesMax) return bytes
  throw tokenizerInvalid(`its files have ${bytes.length} bytes and ${tokenizerRecordSizeBytesMax} are read`)
}

/** Throws TOKENIZER_INVALID for bytes that are no such record. */
export function decodeTokenizerRecord(bytes: Uint8Array): TokenizerRecord {
  const value = decoded(bytes)
  if (typeof value !== 'object' || value === null) throw tokenizerInvalid('its record is no map')
  const { tokenizer, config, generation, ...others } = value as Record<string, unknown>
  if (typeof tokenizer !== 'string' || typeof config !== 'string' || typeof generation !== 'string')
    throw tokenizerInvalid('its record lacks one of its three texts')
  if (Object.keys(others).length > 0) throw tokenizerInvalid('its record has other fields')
  return { tokenizer, config, generation }
}

export function tokenizerInvalid(reason: string): BlyanError {
  return new BlyanError('TOKENIZER_INVALID', { reason: reason.slice(0, 240) })
}

function decoded(bytes: Uint8Array): unknown {
  try {
    return decodeCanonical(bytes, { sizeBytesMax: tokenizerRecordSizeBytesMax })
  } catch {
    throw tokenizerInvalid('its record is not canonical DAG-CBOR')
  }
}
