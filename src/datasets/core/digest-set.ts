/** Remembers digests in eight bytes each. Two different ones are taken for the same in one of 2^52 cases a pair. */
export interface DigestSet {
  readonly size: number
  /** False when it was there. */
  add(digest: Uint8Array): boolean
}

export function createDigestSet(): DigestSet {
  return new OpenAddressedSet()
}

/** Open addressing in one array of numbers, at most half full: 16 to 32 bytes a digest, no object for any of them. */
class OpenAddressedSet implements DigestSet {
  #slots = new Float64Array(1024)
  #size = 0

  get size(): number {
    return this.#size
  }

  add(digest: Uint8Array): boolean {
    const value = numberOf(digest)
    const slot = slotOf(this.#slots, value)
    if (this.#slots[slot] === value) return false
    this.#slots[slot] = value
    this.#size += 1
    if (this.#size * 2 > this.#slots.length) this.#grow()
    return true
  }

  #grow(): void {
    const larger = new Float64Array(this.#slots.length * 2)
    for (const value of this.#slots) if (value !== 0) larger[slotOf(larger, value)] = value
    this.#slots = larger
  }
}

/** 52 bits and never zero, which marks an empty slot. The first byte says the kind of a block and is left out. */
function numberOf(digest: Uint8Array): number {
  const view = new DataView(digest.buffer, digest.byteOffset)
  return (view.getUint32(1) & 0xfffff) * 0x1_0000_0000 + view.getUint32(5) + 1
}

function slotOf(slots: Float64Array, value: number): number {
  let slot = value % slots.length
  while (slots[slot] !== 0 && slots[slot] !== value) slot = (slot + 1) % slots.length
  return slot
}
