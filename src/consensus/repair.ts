import { bytesToHex, verifySignature } from '../codec/index.ts'
import { type Network, networkLimits, protocolIds } from '../net/index.ts'
import { type Database, recordName, tableKey } from '../storage/index.ts'
import { splitFrames } from './catch-up.ts'
import { commitDigest, decodeCommit } from './core/commit.ts'
import { decodeVertex, type Vertex, vertexSigningBytes } from './core/vertex.ts'
import type { ExecutionPort } from './execution-port.ts'
import type { VertexStore } from './vertex-store.ts'
import { decodeCommitsResponse, encodeCommitsRequest, encodeVerticesRequest } from './wire.ts'

export type RepairNeeds = {
  readonly network: Pick<Network, 'request' | 'peers'>
  readonly database: Database
  readonly store: VertexStore
  readonly execution: Pick<ExecutionPort, 'committeeOf'>
  readonly genesisDigest: Uint8Array
  readonly logger: {
    info(fields: object, text: string): void
    warn(fields: object, text: string): void
  }
}

/** Fetches vertices and commits whose records turned out to be damaged, by their digests. */
export interface Repair {
  start(): void
  /** Asks for everything that is damaged, now. Gives how many records are whole again. */
  run(): Promise<number>
  readonly damaged: number
  stop(): Promise<void>
}

export function createRepair(needs: RepairNeeds): Repair {
  return new RecordRepair(needs)
}

const everyMs = 5000
const damagedMax = 10_000
const requestTimeoutMs = 5000
const vertexTable = 'v'.charCodeAt(0)
const commitTable = 'c'.charCodeAt(0)

class RecordRepair implements Repair {
  readonly #needs: RepairNeeds
  readonly #vertices = new Set<string>()
  readonly #commits = new Set<number>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(needs: RepairNeeds) {
    this.#needs = needs
    needs.database.onDamaged(key => this.#noted(key))
  }

  get damaged(): number {
    return this.#vertices.size + this.#commits.size
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.damaged > 0) this.#running = this.run().catch(() => {})
    }, everyMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#running
  }

  async run(): Promise<number> {
    let repaired = 0
    for (const { peerId } of this.#needs.network.peers()) {
      if (this.damaged === 0 || this.#isStopped) break
      // One that does not have it, or does not answer, is no reason not to ask the next.
      for (const digest of [...this.#vertices]) if (await this.#vertex(peerId, digest).catch(() => false)) repaired++
      for (const index of [...this.#commits]) if (await this.#commit(peerId, index).catch(() => false)) repaired++
    }
    return repaired
  }

  #noted(key: Uint8Array): void {
    this.#needs.logger.warn({ record: recordName(key) }, 'a record of the database is damaged')
    if (this.damaged >= damagedMax) return
    if (key[0] === vertexTable) this.#vertices.add(bytesToHex(key.subarray(1)))
    if (key[0] === commitTable && key.length === 9) this.#commits.add(Number(Buffer.from(key).readBigUInt64BE(1)))
  }

  async #vertex(peerId: string, digest: string): Promise<boolean> {
    const request = encodeVerticesRequest({ aboveRound: Number.MAX_SAFE_INTEGER, digests: [digest] })
    const answer = await this.#needs.network.request(peerId, protocolIds.vertices, request, requestTimeoutMs)
    for (const frame of splitFrames(answer, 8)) {
      const vertex = decodeVertex(frame)
      if (vertex.digest !== digest || !(await this.#isSigned(vertex))) continue
      await this.#needs.database.write(this.#needs.store.writesOf(vertex), { durable: true })
      this.#vertices.delete(digest)
      this.#needs.logger.info({ vertex: digest, peer: peerId }, 'a damaged vertex was fetched again')
      return true
    }
    return false
  }

  /** The digest covers header and body, not the signature. */
  async #isSigned({ header, digest, signature }: Vertex): Promise<boolean> {
    const author = this.#needs.execution.committeeOf(header.epoch)?.validators[header.author]
    if (author === undefined) return false
    return verifySignature(author.publicKey, vertexSigningBytes(this.#needs.genesisDigest, digest), signature)
  }

  /** The commit after it says what its digest has to be. */
  async #commit(peerId: string, index: number): Promise<boolean> {
    const after = await this.#needs.store.commitBytes(index + 1)
    if (after === undefined) return false
    const request = encodeCommitsRequest(index)
    const answer = await this.#needs.network.request(peerId, protocolIds.commits, request, requestTimeoutMs)
    const bytes = decodeCommitsResponse(answer, networkLimits.responseBytesMax).commits[0]
    if (bytes === undefined || commitDigest(bytes) !== decodeCommit(after).previous) return false
    await this.#needs.database.write([{ key: tableKey('c', index), value: bytes }], { durable: true })
    this.#commits.delete(index)
    this.#needs.logger.info({ commit: index, peer: peerId }, 'a damaged commit was fetched again')
    return true
  }
}
