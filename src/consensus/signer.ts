import { closeSync, fdatasyncSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import path from 'node:path'
import { bytesToHex, type SigningKey, sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import {
  emptyFloor,
  maySignCheckpoint,
  maySignVertex,
  type SignerFloor,
  type SigningVerdict
} from './core/signer-floor.ts'

export interface Signer {
  /** Undefined when the file is gone: nothing is signed until `resumeAbove` says what others saw of this key. */
  readonly floor: SignerFloor | undefined
  /** Begins the file anew above what was found by asking, durably. */
  resumeAbove(floor: { epoch: number; round: number; checkpointSequence: number }): void
  /** A vertex of ours that the store holds and the floor does not know: the floor is raised to it, durably. */
  cover(vertex: { epoch: number; round: number; digest: string }): void
  /** Checks a header against the floor and signs it. The floor is raised by `keep`, before the signature may be shown. */
  signVertex(next: { epoch: number; round: number; digest: string }, message: Uint8Array): Uint8Array
  /** Signs a checkpoint and makes the floor durable. Undefined when another digest was signed for its sequence, or a later one. */
  signCheckpoint(next: { sequence: number; digest: string }, message: Uint8Array): Uint8Array | undefined
  /** Makes the floor durable. Until then no signature leaves the process. */
  keep(): void
  close(): void
}

/** Opens the floor file of a key; it was made with the key. Throws SIGNER_STATE_DAMAGED. */
export function openSigner(input: { readonly key: SigningKey; readonly file: string }): Signer {
  return new FileBackedSigner(input.key, input.file)
}

/** What the key of this file has signed last; undefined when it has signed nothing here. Throws SIGNER_STATE_DAMAGED. */
export function readSignerFloor(file: string): SignerFloor | undefined {
  return readSlots(file)?.floor
}

/** Begins the floor file of a key: empty for one just made, else what it has signed elsewhere. There must be none yet. */
export function writeSignerFloor(file: string, floor: SignerFloor = emptyFloor): void {
  createFile(file, floor)
}

const slotBytes = 512
const head = '{"schema":"blyan.signer-state/1","slots":[\n'
const between = ',\n'
const tail = '\n]}\n'

/**
 * The floor file is JSON of fixed layout: two slots, padded with spaces, written in turn and synced. A write that is cut
 * off spoils one slot, and the other still holds the floor before it, which was the last that any signature left under.
 */
class FileBackedSigner implements Signer {
  readonly #key: SigningKey
  readonly #path: string
  #file: number | undefined
  #floor: SignerFloor | undefined
  #turn = 0

  constructor(key: SigningKey, file: string) {
    this.#key = key
    this.#path = file
    const found = readSlots(file)
    if (found === undefined) return
    this.#floor = found.floor
    this.#turn = found.turn
    this.#file = openSync(file, 'r+')
  }

  get floor(): SignerFloor | undefined {
    return this.#floor
  }

  resumeAbove(floor: { epoch: number; round: number; checkpointSequence: number }): void {
    if (this.#floor !== undefined) return
    this.#floor = { ...emptyFloor, ...floor }
    createFile(this.#path, this.#floor)
    this.#file = openSync(this.#path, 'r+')
  }

  cover(vertex: { epoch: number; round: number; digest: string }): void {
    if (this.#floor === undefined) return
    const verdict = maySignVertex(this.#floor, vertex)
    if (!verdict.allowed || verdict.floor === this.#floor) return
    this.#floor = verdict.floor
    this.keep()
  }

  signVertex(next: { epoch: number; round: number; digest: string }, message: Uint8Array): Uint8Array {
    if (this.#floor === undefined)
      throw new BlyanError('SIGN_BELOW_FLOOR', { round: next.round, floorRound: 'unknown' })
    const verdict = maySignVertex(this.#floor, next)
    if (!verdict.allowed) throw refusal(verdict, next.round)
    this.#floor = verdict.floor
    return this.#key.sign(message)
  }

  signCheckpoint(next: { sequence: number; digest: string }, message: Uint8Array): Uint8Array | undefined {
    if (this.#floor === undefined) return undefined
    const verdict = maySignCheckpoint(this.#floor, next)
    if (!verdict.allowed) return undefined
    this.#floor = verdict.floor
    this.keep()
    return this.#key.sign(message)
  }

  keep(): void {
    if (this.#floor === undefined || this.#file === undefined) return
    const slot = encodeSlot(this.#floor, this.#turn + 1)
    const place = (this.#turn + 1) % 2
    writeSync(this.#file, slot, 0, slot.length, head.length + place * (slotBytes + between.length))
    fdatasyncSync(this.#file)
    this.#turn++
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }
}

type Slot = { readonly turn: number; readonly floor: SignerFloor }

function encodeSlot(floor: SignerFloor, turn: number): Buffer {
  const content = JSON.stringify({ turn, ...floor })
  const text = JSON.stringify({ turn, ...floor, check: bytesToHex(sha256(Buffer.from(content))).slice(0, 16) })
  return Buffer.from(text.padEnd(slotBytes, ' '))
}

function decodeSlot(text: string): Slot | undefined {
  try {
    const { check, turn, ...floor } = JSON.parse(text) as SignerFloor & { check: string; turn: number }
    const content = JSON.stringify({ turn, ...floor })
    return bytesToHex(sha256(Buffer.from(content))).slice(0, 16) === check ? { turn, floor } : undefined
  } catch {
    return undefined
  }
}

function readSlots(file: string): Slot | undefined {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const second = head.length + slotBytes + between.length
  const slots = [text.slice(head.length, head.length + slotBytes), text.slice(second, second + slotBytes)].map(
    decodeSlot
  )
  const best = slots.filter(slot => slot !== undefined).sort((a, b) => b.turn - a.turn)[0]
  // Both slots unreadable is no crash of ours: better not to sign at all than to forget what was signed.
  if (best === undefined) throw new BlyanError('SIGNER_STATE_DAMAGED', { file })
  return best
}

function createFile(file: string, floor: SignerFloor): void {
  const temporary = `${file}.new`
  const handle = openSync(temporary, 'w', 0o600)
  writeSync(
    handle,
    Buffer.concat([
      Buffer.from(head),
      encodeSlot(floor, 0),
      Buffer.from(between),
      encodeSlot(floor, 1),
      Buffer.from(tail)
    ])
  )
  fsyncSync(handle)
  closeSync(handle)
  renameSync(temporary, file)
  const folder = openSync(path.dirname(file), 'r')
  fsyncSync(folder)
  closeSync(folder)
}

function refusal(verdict: SigningVerdict & { allowed: false }, round: number): BlyanError {
  return new BlyanError(verdict.code, { round, floorRound: verdict.floor.round })
}
