import { concatBytes, sha256 } from '../../codec/index.ts'

/**
 * Which calls to a holder are computed again. One call at a secret place of each block of 25, and of each block of 8
 * while the holder is new or on probation: it cannot tell which, and cannot serve 50 calls without one of them being
 * looked at. The secret is the gateway's own and never leaves it.
 */
const blockCalls = 25
const watchedBlockCalls = 8
const holdersMax = 4096

export interface SamplingSchedule {
  /** Counts one call to this holder; true when it has to be checked. */
  isSampled(holder: string, isWatched: boolean): boolean
}

/** `secret`: 32 random bytes, drawn when the node starts. */
export function createSamplingSchedule(secret: Uint8Array): SamplingSchedule {
  return new SecretSchedule(secret)
}

type Block = { number: number; calls: number; place: number; length: number }

class SecretSchedule implements SamplingSchedule {
  readonly #secret: Uint8Array
  readonly #blocks = new Map<string, Block>()

  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  isSampled(holder: string, isWatched: boolean): boolean {
    const length = isWatched ? watchedBlockCalls : blockCalls
    let block = this.#blocks.get(holder)
    // A block is left when it is full, or too long for somebody who is watched from now on.
    if (block === undefined || block.calls >= block.length || block.length > length)
      block = this.#next(holder, (block?.number ?? -1) + 1, length)
    const isSampled = block.calls === block.place
    block.calls++
    return isSampled
  }

  #next(holder: string, number: number, length: number): Block {
    const block = { number, calls: 0, place: placeIn(this.#secret, holder, number, length), length }
    this.#blocks.delete(holder)
    if (this.#blocks.size >= holdersMax) this.#blocks.delete(this.#blocks.keys().next().value!)
    this.#blocks.set(holder, block)
    return block
  }
}

/** Uniform but for one part in 10^8. */
function placeIn(secret: Uint8Array, holder: string, number: number, length: number): number {
  const digest = sha256(concatBytes(secret, new TextEncoder().encode(`${holder}/${number}`)))
  return new DataView(digest.buffer).getUint32(0) % length
}
