import { concatBytes, sha256 } from '../codec/index.ts'
import { blockEnd, documentEnd, isHeldOut } from './core/blocks.ts'
import { createDigestSet } from './core/digest-set.ts'
import { createTextCheck, hasPrivateKey } from './core/text-check.ts'

export const skipReasons = [
  'binary',
  'damaged',
  'empty',
  'hidden',
  'link',
  'private-key',
  'special',
  'too-deep',
  'too-many',
  'unreadable'
] as const

/** Why a file gave no text; `damaged`: it began as text and went on as something else, the beginning was taken. */
export type SkipReason = (typeof skipReasons)[number]

/** A file that can be read, or why it is not. */
export type SourceFile =
  | { readonly path: string; readonly chunks: AsyncIterable<Uint8Array> }
  | { readonly path: string; readonly skipped: SkipReason }

export type CorpusProgress = {
  /** Of which text was taken. */
  readonly files: number
  readonly skipped: Readonly<Record<SkipReason, number>>
  /** Everything that came from the disk. */
  readonly readBytes: number
  readonly trainingBytes: number
  readonly heldOutBytes: number
  /** Text that was there before, block by block. */
  readonly duplicateBytes: number
  /** True when there is more text than was asked for. */
  readonly full: boolean
}

/** A piece of text. Its bytes are valid until the next piece is asked for. */
export type CorpusBlock = { readonly bytes: Uint8Array; readonly heldOut: boolean; readonly path: string }

export type ReadLimits = { readonly bytesMax: number }

/**
 * Text of files as blocks, held out or not, each block once. Memory: one chunk of a file and 32 bytes a block that was
 * taken. Stops once `bytesMax` bytes of text were taken, however much is left unread.
 */
export function readTexts(request: {
  readonly files: AsyncIterable<SourceFile>
  readonly limits: ReadLimits
  readonly signal?: AbortSignal
  onProgress?(progress: CorpusProgress): void
}): AsyncIterable<CorpusBlock> {
  return new TextReader(request).blocks()
}

type ReadRequest = Parameters<typeof readTexts>[0]

class TextReader {
  readonly #request: ReadRequest
  readonly #seen = createDigestSet()
  readonly #skipped = Object.fromEntries(skipReasons.map(reason => [reason, 0])) as Record<SkipReason, number>
  #files = 0
  #readBytes = 0
  #trainingBytes = 0
  #heldOutBytes = 0
  #duplicateBytes = 0
  #full = false

  constructor(request: ReadRequest) {
    this.#request = request
  }

  async *blocks(): AsyncGenerator<CorpusBlock> {
    for await (const file of this.#request.files) {
      this.#request.signal?.throwIfAborted()
      if ('skipped' in file) this.#skipped[file.skipped] += 1
      else yield* this.#blocksOfFile(file.path, file.chunks)
      this.#tell()
      if (this.#full) return
    }
  }

  async *#blocksOfFile(path: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CorpusBlock> {
    let pending: Uint8Array = new Uint8Array(0)
    let taken = false
    try {
      for await (const text of this.#textOf(chunks)) {
        taken = true
        pending = pending.length === 0 ? text : concatBytes(pending, text)
        let start = 0
        for (let end = blockEnd(pending, start); end !== undefined; end = blockEnd(pending, start)) {
          const block = this.#take(pending.subarray(start, end))
          if (block !== undefined) yield { ...block, path }
          if (this.#full) return
          start = end
        }
        pending = pending.slice(start)
        this.#tell()
      }
    } catch (error) {
      if (!isOfDisk(error)) throw error
      this.#skipped.unreadable += 1
    }
    if (!taken) return
    this.#files += 1
    const last = this.#take(concatBytes(pending, Uint8Array.of(documentEnd)))
    if (last !== undefined) yield { ...last, path }
  }

  async *#textOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const check = createTextCheck()
    let isFirst = true
    for await (const chunk of chunks) {
      this.#request.signal?.throwIfAborted()
      this.#readBytes += chunk.length
      const text = check.push(chunk)
      const refused = text === undefined ? (isFirst ? 'binary' : 'damaged') : undefined
      const reason = refused ?? (isFirst && hasPrivateKey(chunk) ? 'private-key' : undefined)
      if (reason !== undefined) {
        this.#skipped[reason] += 1
        return
      }
      isFirst = false
      if (text !== undefined && text.length > 0) yield text
    }
    if (isFirst) this.#skipped.empty += 1
    else if (!check.end()) this.#skipped.damaged += 1
  }

  #take(block: Uint8Array): { bytes: Uint8Array; heldOut: boolean } | undefined {
    if (this.#trainingBytes + this.#heldOutBytes + block.length > this.#request.limits.bytesMax) {
      this.#full = true
      return undefined
    }
    const digest = sha256(block)
    if (!this.#seen.add(digest)) {
      this.#duplicateBytes += block.length
      return undefined
    }
    const heldOut = isHeldOut(digest)
    if (heldOut) this.#heldOutBytes += block.length
    else this.#trainingBytes += block.length
    return { bytes: block, heldOut }
  }

  #tell(): void {
    this.#request.onProgress?.({
      files: this.#files,
      skipped: { ...this.#skipped },
      readBytes: this.#readBytes,
      trainingBytes: this.#trainingBytes,
      heldOutBytes: this.#heldOutBytes,
      duplicateBytes: this.#duplicateBytes,
      full: this.#full
    })
  }
}

/** A failure of the system while one file is read: the file is left, the reading goes on. */
function isOfDisk(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}
