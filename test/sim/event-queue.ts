type Scheduled = { readonly atMs: number; readonly order: number; readonly what: () => void }

/** Simulated time: what is to happen when, first come first served among equals. A binary heap. */
export class EventQueue {
  readonly #heap: Scheduled[] = []
  #order = 0
  #nowMs = 0

  get nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, what: () => void): void {
    const heap = this.#heap
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, what }
    let place = heap.length
    heap.push(entry)
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = entry
  }

  every(periodMs: number, what: () => void): void {
    this.after(periodMs, () => {
      what()
      this.every(periodMs, what)
    })
  }

  /** Lets everything up to `atMs` happen, in order; stops early once `isDone`, which is looked at now and then. */
  runUntil(atMs: number, isDone: () => boolean = () => false): void {
    let steps = 0
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= atMs; first = this.#heap[0]) {
      this.#pop()
      this.#nowMs = first.atMs
      first.what()
      if (++steps % 128 === 0 && isDone()) return
    }
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    const { length } = heap
    if (length === 0) return
    let place = 0
    for (;;) {
      let least = 2 * place + 1
      if (least >= length) break
      if (least + 1 < length && isBefore(heap[least + 1]!, heap[least]!)) least++
      if (!isBefore(heap[least]!, last)) break
      heap[place] = heap[least]!
      place = least
    }
    heap[place] = last
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
