import { Buffer } from 'node:buffer'
import { CID } from 'multiformats/cid'
import type { CanonicalValue } from './canonical-value.ts'

/** Why bytes are not canonical; `decodeCanonical` gives it a name of the error table. */
export class NotCanonical extends Error {}

/** What the decoder of a value may use up: it recurses, and an item of one byte becomes an object of many. */
export type ReaderLimits = { readonly depthMax: number; readonly itemsMax: number }

const cidTag = 42
const shortTextBytes = 24
// A byte order mark at the start is taken off, so such a text is never what it was: refused below.
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads DAG-CBOR in one pass and takes nothing but its canonical form: shortest numbers and lengths, keys sorted and no key
 * twice, floats of 64 bits that are no integers, text that is UTF-8, links as CIDs. What it accepts is what decoding and
 * encoding again gives back byte for byte (test/codec/canonical-reader.test.ts holds it against @ipld/dag-cbor).
 */
export class CanonicalReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #limits: ReaderLimits
  #offset = 0
  #items = 0

  constructor(bytes: Uint8Array, limits: ReaderLimits) {
    // A slice of a Buffer is a view of it.
    this.#bytes = Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes
    this.#end = bytes.length
    this.#limits = limits
  }

  /** The one value that all bytes are. Throws NotCanonical. */
  readAll(): CanonicalValue {
    const value = this.#value(0)
    if (this.#offset !== this.#end) throw new NotCanonical('more after the end')
    return value
  }

  #value(depth: number): CanonicalValue {
    if (++this.#items > this.#limits.itemsMax) throw new NotCanonical(`more than ${this.#limits.itemsMax} items`)
    if (this.#offset >= this.#end) throw new NotCanonical('ends inside a value')
    const first = this.#bytes[this.#offset++]!
    const extra = first & 31
    switch (first >> 5) {
      case 0:
        return extra < 24 ? extra : this.#argument(extra)
      case 1:
        return negative(this.#argument(extra))
      case 2: {
        const start = this.#skip(this.#length(extra))
        return this.#bytes.slice(start, this.#offset)
      }
      case 3:
        return this.#text(this.#length(extra))
      case 4:
        return this.#list(this.#length(extra), depth)
      case 5:
        return this.#map(this.#length(extra), depth)
      case 6:
        return this.#link(this.#argument(extra), depth)
      default:
        return this.#simple(extra)
    }
  }

  /** The number beside a first byte, in its shortest form. */
  #argument(extra: number): number | bigint {
    if (extra < 24) return extra
    const sizeBytes = 1 << (extra - 24)
    if (extra > 27) throw new NotCanonical('a reserved or open length')
    const start = this.#skip(sizeBytes)
    const bytes = this.#bytes
    let value = 0
    for (let place = start; place < start + Math.min(sizeBytes, 4); place++) value = value * 256 + bytes[place]!
    if (sizeBytes < 8) {
      const isShortest = value >= (sizeBytes === 1 ? 24 : sizeBytes === 2 ? 0x100 : 0x10000)
      if (!isShortest) throw new NotCanonical('a number longer than it needs to be')
      return value
    }
    if (value === 0) throw new NotCanonical('a number longer than it needs to be')
    let low = 0
    for (let place = start + 4; place < start + 8; place++) low = low * 256 + bytes[place]!
    return value < 0x200000 ? value * 0x100000000 + low : (BigInt(value) << 32n) | BigInt(low)
  }

  #length(extra: number): number {
    const length = this.#argument(extra)
    // Whatever it counts takes a byte at least.
    if (typeof length === 'bigint' || length > this.#end) throw new NotCanonical('a length is larger than the input')
    return length
  }

  /** Steps over `sizeBytes` and says where they began. */
  #skip(sizeBytes: number): number {
    const start = this.#offset
    if (sizeBytes > this.#end - start) throw new NotCanonical('ends inside a value')
    this.#offset = start + sizeBytes
    return start
  }

  #text(sizeBytes: number): string {
    const start = this.#skip(sizeBytes)
    const bytes = this.#bytes
    if (sizeBytes < shortTextBytes) {
      let text = ''
      let place = start
      for (; place < this.#offset && bytes[place]! < 0x80; place++) text += String.fromCharCode(bytes[place]!)
      if (place === this.#offset) return text
    }
    if (sizeBytes >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
      throw new NotCanonical('a byte order mark')
    try {
      return utf8.decode(bytes.subarray(start, this.#offset))
    } catch {
      throw new NotCanonical('text that is no UTF-8')
    }
  }

  #list(length: number, depth: number): CanonicalValue[] {
    if (length > 0) this.#deeper(depth)
    const list: CanonicalValue[] = []
    for (let place = 0; place < length; place++) list.push(this.#value(depth + 1))
    return list
  }

  #map(length: number, depth: number): CanonicalValue {
    if (length > 0) this.#deeper(depth)
    const map: Record<string, CanonicalValue> = {}
    let beforeStart = 0
    let beforeEnd = -1
    for (let place = 0; place < length; place++) {
      if (this.#offset >= this.#end || this.#bytes[this.#offset]! >> 5 !== 3)
        throw new NotCanonical('a key that is no text')
      this.#items++
      const sizeBytes = this.#length(this.#bytes[this.#offset++]! & 31)
      const start = this.#offset
      const key = this.#text(sizeBytes)
      if (beforeEnd >= 0 && !this.#isAfter(beforeStart, beforeEnd, start, this.#offset))
        throw new NotCanonical('keys out of order')
      beforeStart = start
      beforeEnd = this.#offset
      setOwn(map, key, this.#value(depth + 1))
    }
    // The library takes such a map for a link of another library, and cannot write it.
    const slash = map['/']
    if (slash !== undefined && slash !== null && slash === map.bytes) throw new NotCanonical('a map like a link')
    return map
  }

  /** Shorter keys first, then byte by byte. */
  #isAfter(beforeStart: number, beforeEnd: number, start: number, end: number): boolean {
    const difference = end - start - (beforeEnd - beforeStart)
    if (difference !== 0) return difference > 0
    for (let place = 0; place < end - start; place++) {
      const step = this.#bytes[start + place]! - this.#bytes[beforeStart + place]!
      if (step !== 0) return step > 0
    }
    return false
  }

  #link(tag: number | bigint, depth: number): CID {
    this.#deeper(depth)
    if (tag !== cidTag) throw new NotCanonical('an unknown tag')
    this.#items++
    if (this.#offset >= this.#end || this.#bytes[this.#offset]! >> 5 !== 2)
      throw new NotCanonical('a link that is no CID')
    const sizeBytes = this.#length(this.#bytes[this.#offset++]! & 31)
    const start = this.#skip(sizeBytes)
    if (sizeBytes === 0 || this.#bytes[start] !== 0) throw new NotCanonical('a link that is no CID')
    const bytes = this.#bytes.slice(start + 1, this.#offset)
    let cid: CID
    try {
      cid = CID.decode(bytes)
    } catch {
      throw new NotCanonical('a link that is no CID')
    }
    if (Buffer.compare(cid.bytes, bytes) !== 0) throw new NotCanonical('a link longer than it needs to be')
    return cid
  }

  #simple(extra: number): CanonicalValue {
    if (extra === 20) return false
    if (extra === 21) return true
    if (extra === 22) return null
    if (extra !== 27) throw new NotCanonical('a value that is not of this encoding')
    const start = this.#skip(8)
    const float = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, 8).getFloat64(0)
    if (!Number.isFinite(float) || Number.isSafeInteger(float)) throw new NotCanonical('a float that is none')
    return float
  }

  #deeper(depth: number): void {
    if (depth >= this.#limits.depthMax) throw new NotCanonical(`nested deeper than ${this.#limits.depthMax}`)
  }
}

/** -1 - argument. */
function negative(argument: number | bigint): number | bigint {
  return typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER ? -1 - argument : -1n - BigInt(argument)
}

/** A plain assignment of `__proto__` would set the prototype. */
function setOwn(map: Record<string, CanonicalValue>, key: string, value: CanonicalValue): void {
  if (key === '__proto__')
    Object.defineProperty(map, key, { value, configurable: true, enumerable: true, writable: true })
  else map[key] = value
}
