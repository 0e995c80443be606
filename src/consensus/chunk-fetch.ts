export type ChunkFetchNeeds = {
  readonly chunks: readonly { readonly digest: string; readonly sizeBytes: number }[]
  readonly here: ReadonlySet<string>
  readonly peers: readonly string[]
  /** Empty when the peer does not have it. */
  readonly ask: (peer: string, digest: string, timeoutMs: number) => Promise<Uint8Array>
  /** False when the bytes are not what the digest names. */
  readonly put: (digest: string, bytes: Uint8Array) => Promise<boolean>
  readonly onFault: (peer: string, points: number, reason: string) => void
}

const requestsPerPeer = 2
const chunkTimeoutMs = 20_000
/** A chunk that is on its way for longer than this is asked of somebody else as well, once nothing else is left to ask. */
const impatientAfterMs = 2000
const failuresMax = 3
const rateWindowMs = 10_000

/**
 * Fetches chunks from many peers at once, few from each. A wrong chunk ends a peer's part in it, a slow one is overtaken:
 * whoever is idle asks again for what is still on its way. So it is as fast as the fast peers are, and it ends when
 * everything is here or nobody is left.
 */
export class ChunkFetch {
  readonly #needs: ChunkFetchNeeds
  readonly #missing = new Map<string, number>()
  /** Chunk to the peers that were asked for it, and when the last was. */
  readonly #asked = new Map<string, { readonly peers: Set<string>; atMs: number }>()
  readonly #failures = new Map<string, number>()
  readonly #totalBytes: number
  readonly #marks: { atMs: number; bytes: number }[] = []
  #bytes: number
  #isStopped = false
  #wake = Promise.withResolvers<void>()

  constructor(needs: ChunkFetchNeeds) {
    this.#needs = needs
    let bytes = 0
    let totalBytes = 0
    for (const { digest, sizeBytes } of new Map(needs.chunks.map(chunk => [chunk.digest, chunk])).values()) {
      totalBytes += sizeBytes
      if (needs.here.has(digest)) bytes += sizeBytes
      else this.#missing.set(digest, sizeBytes)
    }
    this.#bytes = bytes
    this.#totalBytes = totalBytes
  }

  figures(): { readonly bytes: number; readonly totalBytes: number; readonly bytesPerSecond: number } {
    const nowMs = performance.now()
    while (this.#marks.length > 0 && nowMs - this.#marks[0]!.atMs > rateWindowMs) this.#marks.shift()
    const first = this.#marks[0]
    const elapsedMs = first === undefined ? 0 : nowMs - first.atMs
    const recent = this.#marks.reduce((sum, mark) => sum + mark.bytes, 0)
    return {
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond: elapsedMs < 100 ? 0 : Math.round((recent * 1000) / elapsedMs)
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#signal()
  }

  /** True once every chunk is here. Requests of slow peers may still be open then. */
  async run(): Promise<boolean> {
    const workers = this.#needs.peers.flatMap(peer => Array.from({ length: requestsPerPeer }, () => this.#work(peer)))
    await Promise.race([Promise.all(workers), this.#complete()])
    return this.#missing.size === 0
  }

  async #complete(): Promise<void> {
    while (this.#missing.size > 0 && !this.#isStopped) await this.#wake.promise
  }

  async #work(peer: string): Promise<void> {
    while (this.#missing.size > 0 && !this.#isStopped && (this.#failures.get(peer) ?? 0) < failuresMax) {
      const digest = this.#next(peer)
      if (digest === undefined) {
        await Promise.race([this.#wake.promise, pause(impatientAfterMs / 4)])
        continue
      }
      await this.#fetch(peer, digest)
    }
  }

  /** A chunk that nobody was asked for; else one that has been on its way for long, from somebody else. */
  #next(peer: string): string | undefined {
    const nowMs = performance.now()
    let late: string | undefined
    for (const digest of this.#missing.keys()) {
      const asked = this.#asked.get(digest)
      if (asked === undefined) {
        this.#asked.set(digest, { peers: new Set([peer]), atMs: nowMs })
        return digest
      }
      if (late === undefined && !asked.peers.has(peer) && nowMs - asked.atMs > impatientAfterMs) late = digest
    }
    if (late === undefined) return undefined
    const asked = this.#asked.get(late)!
    asked.peers.add(peer)
    asked.atMs = nowMs
    return late
  }

  async #fetch(peer: string, digest: string): Promise<void> {
    let bytes: Uint8Array
    try {
      bytes = await this.#needs.ask(peer, digest, chunkTimeoutMs)
    } catch {
      return this.#failed(peer, digest, 1)
    }
    const sizeBytes = this.#missing.get(digest)
    if (sizeBytes === undefined || this.#isStopped) return
    if (bytes.length === 0) return this.#failed(peer, digest, 1)
    if (bytes.length !== sizeBytes || !(await this.#needs.put(digest, bytes))) {
      this.#needs.onFault(peer, 50, 'a chunk of a snapshot that does not have its hash')
      return this.#failed(peer, digest, failuresMax)
    }
    if (!this.#missing.delete(digest)) return
    this.#asked.delete(digest)
    this.#bytes += sizeBytes
    this.#marks.push({ atMs: performance.now(), bytes: sizeBytes })
    if (this.#missing.size === 0) this.#signal()
  }

  /** Somebody else may have it; the peer is asked for others, a few times. */
  #failed(peer: string, digest: string, weight: number): void {
    this.#failures.set(peer, (this.#failures.get(peer) ?? 0) + weight)
    this.#asked.delete(digest)
    this.#signal()
  }

  #signal(): void {
    const { resolve } = this.#wake
    this.#wake = Promise.withResolvers<void>()
    resolve()
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}
