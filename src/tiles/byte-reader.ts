import { concatBytes } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'

/** Reads a stream of chunks as a file: so many bytes, then so many more. Hands out views, not copies. */
export interface ByteReader {
  /** Exactly so many bytes. Throws TENSOR_FORMAT_INVALID where the stream ends before. */
  take(lengthBytes: number): Promise<Uint8Array>
  /** The next bytes, as they come. The stream must be read to the end of it before anything else. */
  pass(lengthBytes: number): AsyncGenerator<Uint8Array>
  /** Throws TENSOR_FORMAT_INVALID where anything follows. */
  expectEnd(): Promise<void>
  /** Lets go of the stream; needed after a failure only. */
  close(): Promise<void>
}

export function createByteReader(format: string, bytes: AsyncIterable<Uint8Array>): ByteReader {
  return new StreamByteReader(format, bytes)
}

class StreamByteReader implements ByteReader {
  readonly #format: string
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest = new Uint8Array()

  constructor(format: string, bytes: AsyncIterable<Uint8Array>) {
    this.#format = format
    this.#chunks = bytes[Symbol.asyncIterator]()
  }

  async take(lengthBytes: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for await (const part of this.pass(lengthBytes)) parts.push(part)
    return parts.length === 1 ? parts[0]! : concatBytes(...parts)
  }

  async *pass(lengthBytes: number): AsyncGenerator<Uint8Array> {
    for (let missing = lengthBytes; missing > 0; ) {
      if (!(await this.#fill())) throw this.#invalid(`it ends ${missing} bytes too early`)
      const part = this.#rest.subarray(0, missing)
      this.#rest = this.#rest.subarray(part.length)
      missing -= part.length
      yield part
    }
  }

  async expectEnd(): Promise<void> {
    if (await this.#fill()) throw this.#invalid('something follows where it should end')
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  /** Whether there is at least one byte. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next()
      if (next.done === true) return false
      this.#rest = next.value as Uint8Array<ArrayBuffer>
    }
    return true
  }

  #invalid(reason: string): BlyanError {
    return new BlyanError('TENSOR_FORMAT_INVALID', { format: this.#format, reason })
  }
}
