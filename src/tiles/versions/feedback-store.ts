import { type FileHandle, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { bytesEqual, concatBytes, encodeCanonical, sha256 } from '../../codec/index.ts'
import { codeOf, onDisk } from '../../storage/index.ts'
import { createKeyedLock, type KeyedLock } from '../keyed-lock.ts'
import { type Feedback, packFeedback, unpackFeedback } from '../maths/error-feedback.ts'

/**
 * What the codec left out of a learner's deltas so far, one file a model, part and tile. Losing one costs a little learning
 * and nothing else, so a file that is torn, damaged or somebody else's reads as none; half a file is never seen.
 */
export interface FeedbackStore {
  /** Undefined where there is none that can be used. */
  read(model: string, part: string, tile: number): Promise<Feedback | undefined>
  /** Durable when it returns. Throws DISK_FULL; what was there before is there still. */
  write(model: string, part: string, tile: number, feedback: Feedback): Promise<void>
  /** Forgets a part, or the whole model. */
  clear(model: string, part?: string): Promise<void>
}

export function createFeedbackStore(needs: { readonly folder: string }): FeedbackStore {
  return new FolderOfFeedback(needs.folder)
}

const magic = new TextEncoder().encode('BLYANFB1')
const digestSizeBytes = 32
const headLengthSizeBytes = 4
const headSizeBytesMax = 4096
/** The residual of a tile is 4 MiB; with what low rank starts from it stays below this. */
const fileSizeBytesMax = 32 * 1024 * 1024
const ending = '.feedback'
const temporaryEnding = '.tmp'
const fileMode = 0o600

class FolderOfFeedback implements FeedbackStore {
  readonly #folder: string
  readonly #lock: KeyedLock = createKeyedLock()

  constructor(folder: string) {
    this.#folder = folder
  }

  read(model: string, part: string, tile: number): Promise<Feedback | undefined> {
    const path = this.#pathOf(model, part, tile)
    return this.#lock.run(model, async () => {
      const bytes = await onDisk(this.#folder, () => readBounded(path))
      const packed = bytes === undefined ? undefined : opened(bytes, encodeHead(model, part, tile))
      return packed === undefined ? undefined : unpackFeedback(packed)
    })
  }

  write(model: string, part: string, tile: number, feedback: Feedback): Promise<void> {
    const path = this.#pathOf(model, part, tile)
    const bytes = sealed(encodeHead(model, part, tile), packFeedback(feedback))
    return this.#lock.run(model, () => onDisk(this.#folder, () => replace(path, bytes)))
  }

  clear(model: string, part?: string): Promise<void> {
    const folder = this.#folderOf(model)
    return this.#lock.run(model, () =>
      onDisk(this.#folder, async () => {
        if (part === undefined) return rm(folder, { recursive: true, force: true })
        const begin = `${fileName(part)}+`
        for (const name of await namesIn(folder)) if (name.startsWith(begin)) await unlink(join(folder, name))
      })
    )
  }

  #folderOf(model: string): string {
    return join(this.#folder, fileName(model))
  }

  #pathOf(model: string, part: string, tile: number): string {
    return join(this.#folderOf(model), `${fileName(part)}+${tile}${ending}`)
  }
}

/** A name that no folder of any system reads as something else: no separators, no dots alone, no sign that ends a part's name. */
function fileName(name: string): string {
  return `of-${encodeURIComponent(name).replaceAll('*', '%2A')}`
}

function encodeHead(model: string, part: string, tile: number): Uint8Array {
  return encodeCanonical({ model, part, tile })
}

/** Magic, digest of all that follows, length of the head, head, the packed feedback. */
function sealed(head: Uint8Array, packed: Uint8Array): Uint8Array {
  const length = new Uint8Array(headLengthSizeBytes)
  new DataView(length.buffer).setUint32(0, head.length, true)
  const body = concatBytes(length, head, packed)
  return concatBytes(magic, sha256(body), body)
}

function opened(bytes: Uint8Array, head: Uint8Array): Uint8Array | undefined {
  const bodyAt = magic.length + digestSizeBytes
  if (bytes.length < bodyAt + headLengthSizeBytes || !bytesEqual(bytes.subarray(0, magic.length), magic)) return
  const body = bytes.subarray(bodyAt)
  if (!bytesEqual(sha256(body), bytes.subarray(magic.length, bodyAt))) return
  const headLength = new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(0, true)
  if (headLength > headSizeBytesMax || headLengthSizeBytes + headLength > body.length) return
  if (!bytesEqual(body.subarray(headLengthSizeBytes, headLengthSizeBytes + headLength), head)) return
  return body.subarray(headLengthSizeBytes + headLength)
}

async function readBounded(path: string): Promise<Uint8Array | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const { size } = await file.stat()
    return size > fileSizeBytesMax ? undefined : await file.readFile()
  } finally {
    await file.close()
  }
}

/** The temporary name is always the same, so that crashes leave at most one file behind for each. */
async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path)
  const temporary = `${path}${temporaryEnding}`
  await mkdir(folder, { recursive: true })
  try {
    const file = await open(temporary, 'w', fileMode)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Windows has no folders to sync; there rename is all one gets. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
