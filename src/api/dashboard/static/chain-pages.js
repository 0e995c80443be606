import { NodeError } from './client.js'

const blocksKnownMax = 8192
const searchedMax = 20_000

/** Blocks of the four chains, fetched by pages, the newest ones kept. */
export class ChainPages {
  #client
  #known = new Map()

  constructor(client) {
    this.#client = client
  }

  /** Blocks from `from` on, in their order. Those that were pruned are left out. */
  async page(chain, from, limit, signal) {
    const blocks = []
    try {
      await this.#client.lines(
        `/v0/chains/${chain}/blocks?from=${from}&limit=${limit}`,
        block => {
          blocks.push(block)
          this.#keep(block)
        },
        signal
      )
    } catch (error) {
      // Below a horizon chains A, C and D have only their newest blocks: show what is there.
      if (!(error instanceof NodeError) || error.status >= 500 || error.status === 401) throw error
      if (limit > 1 && blocks.length === 0) return this.page(chain, from + (limit >> 1), limit - (limit >> 1), signal)
    }
    return blocks
  }

  /** Every block seen so far. */
  known() {
    return [...this.#known.values()]
  }

  /** The block of that CID: among those seen, else searched for from the newest on. Undefined when it is too far back. */
  async find(cid, heights, signal) {
    const seen = this.#known.get(cid)
    if (seen !== undefined) return seen
    const step = 256
    let searched = 0
    for (const [chain, height] of Object.entries(heights)) {
      for (let end = height; end > 0 && searched < searchedMax; end -= step) {
        const from = Math.max(0, end - step)
        const found = (await this.page(chain, from, end - from, signal)).find(block => block.cid === cid)
        if (found !== undefined) return found
        searched += end - from
      }
    }
    return undefined
  }

  #keep(block) {
    this.#known.delete(block.cid)
    this.#known.set(block.cid, block)
    if (this.#known.size > blocksKnownMax) this.#known.delete(this.#known.keys().next().value)
  }
}
