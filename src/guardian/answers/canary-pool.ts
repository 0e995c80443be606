import type { Arithmetic } from './commitment.ts'

/**
 * Canaries: rows of real calls whose right answer is known, kept to be asked of somebody else later. They come from real
 * traffic, so that a holder cannot tell them from it; of the right answer only a fingerprint is kept.
 */
export type Canary = {
  readonly model: string
  readonly layer: number
  /** CID of the expert's tensor. */
  readonly weights: string
  readonly width: number
  readonly input: Float32Array
  readonly fingerprint: Float32Array
  readonly arithmetic: Arithmetic
  /** Who answered it then: asking the same again would tell nothing. */
  readonly holder: string
}

export interface CanaryPool {
  keep(canary: Canary): void
  /** Takes one out that this holder did not answer itself, of weights that it has; each is asked once. */
  take(holder: string, weights: ReadonlySet<string>): Canary | undefined
  readonly sizeBytes: number
}

export function createCanaryPool(sizeBytesMax: number): CanaryPool {
  return new BoundedPool(sizeBytesMax)
}

class BoundedPool implements CanaryPool {
  readonly #sizeBytesMax: number
  /** Oldest first. */
  #canaries: Canary[] = []
  #sizeBytes = 0

  constructor(sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  keep(canary: Canary): void {
    // Rows are views of whole answers: only a copy is as small as it says.
    this.#canaries.push({ ...canary, input: canary.input.slice() })
    this.#sizeBytes += sizeBytesOf(canary)
    while (this.#sizeBytes > this.#sizeBytesMax) this.#sizeBytes -= sizeBytesOf(this.#canaries.shift()!)
  }

  take(holder: string, weights: ReadonlySet<string>): Canary | undefined {
    const place = this.#canaries.findLastIndex(canary => canary.holder !== holder && weights.has(canary.weights))
    if (place < 0) return undefined
    const [canary] = this.#canaries.splice(place, 1)
    this.#sizeBytes -= sizeBytesOf(canary!)
    return canary
  }
}

function sizeBytesOf({ input, fingerprint }: Canary): number {
  return input.byteLength + fingerprint.byteLength
}
