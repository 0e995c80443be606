import { Buffer } from 'node:buffer'
import { CID } from 'multiformats/cid'

/** Longer texts than this go through the encoder of Buffer. */
const shortTextBytes = 40
const depthMax = 32
const startBytes = 4096
const keptBytesMax = 256 * 1024

/**
 * Writes plain DAG-CBOR values, those that make up nearly everything that is stored and signed here: null, booleans, whole
 * numbers, text of ASCII, bytes, links, lists and maps of these. For anything else (floats, numbers beyond 2^53, other text)
 * `write` gives undefined, and the library has the word (test/codec/canonical-writer.test.ts holds this against it).
 */
export class CanonicalWriter {
  #bytes = Buffer.allocUnsafeSlow(startBytes)
  #offset = 0

  write(value: unknown): Uint8Array<ArrayBuffer> | undefined {
    this.#offset = 0
    const isPlain = this.#value(value, 0)
    const bytes = this.#bytes
    // One large value must not hold its room for ever.
    if (bytes.length > keptBytesMax) this.#bytes = Buffer.allocUnsafeSlow(startBytes)
    return isPlain ? new Uint8Array(bytes.buffer.slice(0, this.#offset)) : undefined
  }

  #value(value: unknown, depth: number): boolean {
    if (typeof value === 'number') return this.#number(value)
    if (typeof value === 'string') return this.#text(value)
    if (value === null) return this.#byte(0xf6)
    if (typeof value === 'boolean') return this.#byte(value ? 0xf5 : 0xf4)
    if (typeof value !== 'object' || depth >= depthMax) return false
    if (value instanceof Uint8Array) return this.#part(value)
    if (Array.isArray(value)) return this.#list(value, depth)
    if (value instanceof CID) return this.#link(value)
    return Object.getPrototypeOf(value) === Object.prototype && this.#map(value as Record<string, unknown>, depth)
  }

  #number(value: number): boolean {
    if (!Number.isSafeInteger(value)) return false
    return value >= 0 ? this.#head(0, value) : this.#head(0x20, -1 - value)
  }

  #byte(value: number): boolean {
    this.#reserve(1)
    this.#bytes[this.#offset++] = value
    return true
  }

  /** The kind of a value in three bits, and its number or length in the fewest bytes. */
  #head(kind: number, argument: number): boolean {
    this.#reserve(9)
    const bytes = this.#bytes
    if (argument < 24) bytes[this.#offset++] = kind + argument
    else if (argument < 0x100) {
      bytes[this.#offset] = kind + 24
      bytes[this.#offset + 1] = argument
      this.#offset += 2
    } else if (argument < 0x10000) {
      bytes[this.#offset] = kind + 25
      this.#offset = bytes.writeUInt16BE(argument, this.#offset + 1)
    } else if (argument < 0x100000000) {
      bytes[this.#offset] = kind + 26
      this.#offset = bytes.writeUInt32BE(argument, this.#offset + 1)
    } else {
      bytes[this.#offset] = kind + 27
      const high = Math.floor(argument / 0x100000000)
      this.#offset = bytes.writeUInt32BE(high, this.#offset + 1)
      this.#offset = bytes.writeUInt32BE(argument - high * 0x100000000, this.#offset)
    }
    return true
  }

  #text(text: string): boolean {
    if (text.length > shortTextBytes) {
      const sizeBytes = Buffer.byteLength(text)
      if (sizeBytes !== text.length) return false
      this.#head(0x60, sizeBytes)
      this.#reserve(sizeBytes)
      this.#offset += this.#bytes.write(text, this.#offset, 'latin1')
      return true
    }
    this.#head(0x60, text.length)
    this.#reserve(text.length)
    for (let place = 0; place < text.length; place++) {
      const code = text.charCodeAt(place)
      if (code >= 0x80) return false
      this.#bytes[this.#offset++] = code
    }
    return true
  }

  #part(part: Uint8Array): boolean {
    this.#head(0x40, part.length)
    this.#reserve(part.length)
    this.#bytes.set(part, this.#offset)
    this.#offset += part.length
    return true
  }

  /** Tag 42 over the bytes of the CID with a zero before them. */
  #link(link: CID): boolean {
    if (link.asCID !== link) return false
    const { bytes } = link
    this.#byte(0xd8)
    this.#byte(0x2a)
    this.#head(0x40, bytes.length + 1)
    this.#reserve(bytes.length + 1)
    this.#bytes[this.#offset] = 0
    this.#bytes.set(bytes, this.#offset + 1)
    this.#offset += bytes.length + 1
    return true
  }

  #list(list: readonly unknown[], depth: number): boolean {
    this.#head(0x80, list.length)
    for (let place = 0; place < list.length; place++) if (!this.#value(list[place], depth + 1)) return false
    return true
  }

  /** Shorter keys first, then byte by byte, which is letter by letter in ASCII; other keys are refused as they are written. */
  #map(map: Record<string, unknown>, depth: number): boolean {
    // The library looks at these for links of other libraries.
    if (map['/'] !== undefined || map.asCID !== undefined) return false
    const keys = Object.keys(map).sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    this.#head(0xa0, keys.length)
    for (const key of keys) if (!this.#text(key) || !this.#value(map[key], depth + 1)) return false
    return true
  }

  #reserve(sizeBytes: number): void {
    if (this.#offset + sizeBytes <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#offset + sizeBytes))
    grown.set(this.#bytes.subarray(0, this.#offset))
    this.#bytes = grown
  }
}
