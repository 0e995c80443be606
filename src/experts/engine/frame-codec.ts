import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../../codec/index.ts'

export type Frame = { readonly [key: string]: CanonicalValue }

/**
 * A frame as bytes: length of all that follows (u32, big-endian), length of the head (u32), the head, then the tails.
 * The head is one map in canonical DAG-CBOR. A field of many bytes at the top of the map travels as a tail: in the head
 * stands `tails`, a list of [field, length], and the bytes follow in that order. So rows of numbers are neither copied nor
 * read byte by byte on their way out.
 */

export const lengthBytes = 4
const tailFrom = 2048
const tailsMax = 64

/** What to write, one after the other; tails are views of the frame's own bytes. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const tails: [string, Uint8Array][] = []
  const small: Record<string, CanonicalValue> = {}
  for (const [name, value] of Object.entries(frame)) {
    if (value instanceof Uint8Array && value.length >= tailFrom && tails.length < tailsMax) tails.push([name, value])
    else small[name] = value
  }
  if (tails.length > 0) small.tails = tails.map(([name, bytes]) => [name, bytes.length])
  const head = encodeCanonical(small)
  const lengths = new DataView(new ArrayBuffer(2 * lengthBytes))
  const tailBytes = tails.reduce((sum, [, bytes]) => sum + bytes.length, 0)
  lengths.setUint32(0, lengthBytes + head.length + tailBytes)
  lengths.setUint32(lengthBytes, head.length)
  return [new Uint8Array(lengths.buffer), head, ...tails.map(([, bytes]) => bytes)]
}

/** Reads what follows the first length. Tails are copied, so that each begins where numbers may. Throws on anything else. */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length < lengthBytes) throw new RangeError('no room for the head')
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0)
  const head = decodeCanonical(bytes.subarray(lengthBytes, lengthBytes + headBytes), { sizeBytesMax: bytes.length })
  if (!isMap(head)) throw new RangeError('the head is no map')
  let at = lengthBytes + headBytes
  const { tails, ...fields } = head
  const whole: Record<string, CanonicalValue> = fields
  for (const [name, length] of readTails(tails)) {
    if (at + length > bytes.length || Object.hasOwn(fields, name)) throw new RangeError('tails do not fit')
    whole[name] = Uint8Array.from(bytes.subarray(at, at + length))
    at += length
  }
  if (at !== bytes.length) throw new RangeError('there is more than the tails')
  return whole
}

function readTails(value: CanonicalValue | undefined): [string, number][] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length > tailsMax) throw new RangeError('tails are no short list')
  return value.map(entry => {
    if (!Array.isArray(entry)) throw new RangeError('a tail is no pair')
    const [name, length] = entry
    if (typeof name !== 'string' || !Number.isSafeInteger(length) || (length as number) < 0) {
      throw new RangeError('a tail is no name and length')
    }
    return [name, length as number]
  })
}

function isMap(value: CanonicalValue): value is Frame {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  // Bytes and links are objects too; only a plain map has the plain prototype.
  return Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null
}
