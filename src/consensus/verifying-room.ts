/** How much may be verified at a time: together, and for one peer. */
export type VerifyingShare = { readonly bytesMax: number; readonly bytesPerPeerMax: number }

type Waiting = { readonly peerId: string; readonly sizeBytes: number; readonly enter: () => void }

/**
 * Room for what is being verified, an equal share for every peer: one that sends much waits behind itself and keeps
 * nobody else out. Whoever asks is to send nothing more until it is let in, so those who wait are few.
 */
export class VerifyingRoom {
  readonly #share: VerifyingShare
  readonly #usedBy = new Map<string, number>()
  #usedBytes = 0
  #waiting: Waiting[] = []

  constructor(share: VerifyingShare) {
    this.#share = share
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Whether a peer would be let in at once. */
  isOpenTo(peerId: string): boolean {
    return this.#fits(peerId, 1) && !this.#waiting.some(one => one.peerId === peerId)
  }

  /** Done when there is room; `leave` gives it back. */
  enter(peerId: string, sizeBytes: number): Promise<void> | undefined {
    if (!this.#waiting.some(one => one.peerId === peerId) && this.#fits(peerId, sizeBytes)) {
      this.#take(peerId, sizeBytes)
      return undefined
    }
    return new Promise(resolve => this.#waiting.push({ peerId, sizeBytes, enter: resolve }))
  }

  leave(peerId: string, sizeBytes: number): void {
    this.#usedBytes -= sizeBytes
    const left = (this.#usedBy.get(peerId) ?? 0) - sizeBytes
    if (left === 0) this.#usedBy.delete(peerId)
    else this.#usedBy.set(peerId, left)
    this.#letIn()
  }

  #letIn(): void {
    if (this.#waiting.length === 0) return
    const isBehind = new Set<string>()
    const staying: Waiting[] = []
    for (const one of this.#waiting) {
      if (isBehind.has(one.peerId) || !this.#fits(one.peerId, one.sizeBytes)) {
        isBehind.add(one.peerId)
        staying.push(one)
        continue
      }
      this.#take(one.peerId, one.sizeBytes)
      one.enter()
    }
    this.#waiting = staying
  }

  /** One thing always fits, however large: the limit of its kind has been checked. */
  #fits(peerId: string, sizeBytes: number): boolean {
    const used = this.#usedBy.get(peerId) ?? 0
    return (
      (used === 0 || used + sizeBytes <= this.#share.bytesPerPeerMax) &&
      (this.#usedBytes === 0 || this.#usedBytes + sizeBytes <= this.#share.bytesMax)
    )
  }

  #take(peerId: string, sizeBytes: number): void {
    this.#usedBytes += sizeBytes
    this.#usedBy.set(peerId, (this.#usedBy.get(peerId) ?? 0) + sizeBytes)
  }
}
