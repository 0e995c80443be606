import { isUtf8 } from 'node:buffer'
import { concatBytes } from '../../codec/index.ts'

/** Tells text from other bytes while they stream past. Text is UTF-8 without byte zero and nearly without controls. */
export interface TextCheck {
  /** The text that has come to its end with `bytes`; undefined once the bytes are no text. */
  push(bytes: Uint8Array): Uint8Array | undefined
  /** True when nothing is left of a character that never ended. */
  end(): boolean
}

export function createTextCheck(): TextCheck {
  return new StreamedTextCheck()
}

/** Of the bytes at the start of a file: what has more is a picture, a program, or an archive. */
const controlShareMax = 1 / 128
const examinedBytes = 16 * 1024

class StreamedTextCheck implements TextCheck {
  #rest: Uint8Array = new Uint8Array(0)
  #examined = false

  push(bytes: Uint8Array): Uint8Array | undefined {
    const all = this.#rest.length === 0 ? bytes : concatBytes(this.#rest, bytes)
    if (!this.#examined && hasManyControls(all.subarray(0, examinedBytes))) return undefined
    this.#examined = true
    const end = all.length - openCharacterBytes(all)
    const text = all.subarray(0, end)
    if (text.includes(0) || !isUtf8(text)) return undefined
    this.#rest = all.slice(end)
    return text
  }

  end(): boolean {
    return this.#rest.length === 0
  }
}

function hasManyControls(bytes: Uint8Array): boolean {
  let controls = 0
  for (const byte of bytes) if (byte < 0x20 && !isLayout(byte)) controls += 1
  return controls > bytes.length * controlShareMax
}

/** Tabs, line ends, form feeds, and the escape of terminal colours. */
function isLayout(byte: number): boolean {
  return (byte >= 0x09 && byte <= 0x0d) || byte === 0x1b
}

/** How many bytes at the end belong to a character that is not whole yet: at most three. */
function openCharacterBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0
  }
  return 0
}

const keyMark = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY/

/** A private key in text form: it is never read into a corpus, because shards are public. */
export function hasPrivateKey(start: Uint8Array): boolean {
  return keyMark.test(
    Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, examinedBytes)).toString('latin1')
  )
}
