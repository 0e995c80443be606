import type { EventEnvelope } from './event-envelope.ts'

const pieces = Object.freeze(
  Object.fromEntries(
    ['type', 'author', 'origin', 'region', 'payload', 'tenantId', 'createdAt', 'logicalClock'].map(key => [
      key,
      Uint8Array.of(0x60 + key.length, ...Buffer.from(key))
    ])
  )
) as Readonly<Record<string, Uint8Array>>
const mapOfEight = 0xa8

/**
 * Reads the form in which nearly all envelopes come: eight fields in their order, texts of ASCII. Undefined for anything
 * else, right or wrong: the general decoder has the last word on that. Every node decodes every event.
 */
export function readPlainEnvelope(bytes: Uint8Array): EventEnvelope | undefined {
  const reader = new PlainReader(bytes)
  if (!reader.byte(mapOfEight) || !reader.piece(pieces.type!)) return undefined
  const type = reader.text()
  const author = reader.piece(pieces.author!) ? reader.bytes() : undefined
  const origin = reader.piece(pieces.origin!) ? reader.text() : undefined
  const region = reader.piece(pieces.region!) ? reader.text() : undefined
  const payload = reader.piece(pieces.payload!) ? reader.bytes() : undefined
  const tenantId = reader.piece(pieces.tenantId!) ? reader.text() : undefined
  const createdAtMs = reader.piece(pieces.createdAt!) ? reader.natural() : undefined
  const logicalClock = reader.piece(pieces.logicalClock!) ? reader.natural() : undefined
  if (
    type === undefined ||
    author === undefined ||
    origin === undefined ||
    region === undefined ||
    payload === undefined ||
    tenantId === undefined ||
    createdAtMs === undefined ||
    logicalClock === undefined ||
    !reader.isAtEnd
  )
    return undefined
  // The author is kept in places that outlive the message; the payload is not.
  return { tenantId, logicalClock, region, origin, createdAtMs, type, payload, author: author.slice() }
}

class PlainReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    // A slice of a Buffer is a view of it.
    this.#bytes = Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  byte(expected: number): boolean {
    return this.#bytes[this.#offset++] === expected
  }

  piece(expected: Uint8Array): boolean {
    const offset = this.#offset
    for (let place = 0; place < expected.length; place++)
      if (this.#bytes[offset + place] !== expected[place]) return false
    this.#offset = offset + expected.length
    return true
  }

  text(): string | undefined {
    const length = this.#length(0x60)
    if (length === undefined) return undefined
    let text = ''
    for (const end = this.#offset + length; this.#offset < end; this.#offset++) {
      const code = this.#bytes[this.#offset]
      if (code === undefined || code >= 0x80) return undefined
      text += String.fromCharCode(code)
    }
    return text
  }

  bytes(): Uint8Array | undefined {
    const length = this.#length(0x40)
    const start = this.#offset
    if (length === undefined || start + length > this.#bytes.length) return undefined
    this.#offset = start + length
    return this.#bytes.subarray(start, this.#offset)
  }

  /** A number in its shortest form, up to 2^53 - 1. */
  natural(): number | undefined {
    const first = this.#bytes[this.#offset++]
    if (first === undefined || first > 0x1b) return undefined
    if (first < 24) return first
    const sizeBytes = 1 << (first - 24)
    let value = 0
    for (let place = 0; place < sizeBytes; place++) value = value * 256 + (this.#bytes[this.#offset++] ?? Number.NaN)
    const isShortest = value >= (sizeBytes === 1 ? 24 : 2 ** (sizeBytes * 4))
    return isShortest && value <= Number.MAX_SAFE_INTEGER ? value : undefined
  }

  /** A length of less than 2^16 after the three bits of its kind. */
  #length(kind: number): number | undefined {
    const first = this.#bytes[this.#offset++]
    if (first === undefined || first < kind || first > kind + 25) return undefined
    const short = first - kind
    if (short < 24) return short
    const length =
      short === 24 ? this.#bytes[this.#offset++]! : this.#bytes[this.#offset++]! * 256 + this.#bytes[this.#offset++]!
    return length >= (short === 24 ? 24 : 256) ? length : undefined
  }
}
