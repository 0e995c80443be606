import { decodeCanonical, encodeCanonical } from '../codec/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import { type Network, protocolIds } from '../net/index.ts'
import { ChunkFetch } from './chunk-fetch.ts'
import type { SnapshotKeeper, SnapshotPlan } from './snapshot-keeper.ts'

export type StateSyncProgress = {
  readonly phase: 'asking' | 'fetching' | 'installing'
  readonly bytes: number
  readonly totalBytes: number
  readonly bytesPerSecond: number
  /** Undefined until the rate is known. */
  readonly secondsLeft: number | undefined
}

export type StateSyncNeeds = {
  readonly network: Pick<Network, 'request' | 'serve' | 'penalise' | 'peers'>
  readonly keeper: SnapshotKeeper
  readonly logger: {
    debug(fields: object, text: string): void
    info(fields: object, text: string): void
    warn(fields: object, text: string): void
  }
}

/** The third gear of catching up: a certified snapshot in chunks from many peers, then the quorum goes on above it. */
export interface StateSync {
  readonly snapshotCommitIndex: number
  readonly oldestCommitIndex: number
  /** False when no snapshot could be had; nothing has changed then, and what was fetched is kept for the next time. */
  sync(peers: readonly string[]): Promise<boolean>
  progress(): StateSyncProgress | undefined
  stop(): void
}

/** Registers its protocol: the network must not be started yet. */
export function createStateSync(needs: StateSyncNeeds): StateSync {
  const sync = new SnapshotSync(needs)
  sync.register()
  return sync
}

const request = { manifest: 1, chunk: 2 } as const
const manifestTimeoutMs = 10_000
const peersAskedMax = 16
const refusedMax = 64
const logEveryMs = 5000

type Offer = { readonly plan: SnapshotPlan; readonly peers: string[] }

class SnapshotSync implements StateSync {
  readonly #needs: StateSyncNeeds
  /** Ids of snapshots whose contents were not what their checkpoint certifies. */
  readonly #refused = new Set<string>()
  #phase: StateSyncProgress['phase'] | undefined
  #fetch: ChunkFetch | undefined
  #isStopped = false

  constructor(needs: StateSyncNeeds) {
    this.#needs = needs
  }

  register(): void {
    this.#needs.network.serve(protocolIds.snapshot, (_, bytes) => this.#serve(bytes))
  }

  get snapshotCommitIndex(): number {
    return this.#needs.keeper.offeredCommitIndex
  }

  get oldestCommitIndex(): number {
    return this.#needs.keeper.oldestCommitIndex
  }

  progress(): StateSyncProgress | undefined {
    if (this.#phase === undefined) return undefined
    const { bytes = 0, totalBytes = 0, bytesPerSecond = 0 } = this.#fetch?.figures() ?? {}
    const secondsLeft = bytesPerSecond > 0 ? Math.ceil((totalBytes - bytes) / bytesPerSecond) : undefined
    return { phase: this.#phase, bytes, totalBytes, bytesPerSecond, secondsLeft }
  }

  stop(): void {
    this.#isStopped = true
    this.#fetch?.stop()
  }

  async sync(peers: readonly string[]): Promise<boolean> {
    if (this.#phase !== undefined || this.#isStopped) return false
    this.#phase = 'asking'
    const timer = setInterval(() => this.#log(), logEveryMs)
    timer.unref()
    try {
      const offer = await this.#choose(peers)
      return offer !== undefined && (await this.#fetchAndInstall(offer))
    } finally {
      clearInterval(timer)
      this.#phase = undefined
      this.#fetch = undefined
    }
  }

  async #fetchAndInstall({ plan, peers }: Offer): Promise<boolean> {
    const { keeper, logger, network } = this.#needs
    const here = await keeper.begin(plan)
    logger.info(
      {
        commit: plan.commitIndex,
        chunks: plan.chunks.length,
        here: here.size,
        bytes: plan.totalBytes,
        peers: peers.length
      },
      'state sync: fetching a snapshot'
    )
    this.#phase = 'fetching'
    this.#fetch = new ChunkFetch({
      chunks: plan.chunks,
      here,
      peers,
      ask: (peer, digest, timeoutMs) => network.request(peer, protocolIds.snapshot, askChunk(digest), timeoutMs),
      put: (digest, bytes) => keeper.put(digest, bytes),
      onFault: (peer, points, reason) => network.penalise(peer, points, reason)
    })
    if (!(await this.#fetch.run())) {
      logger.warn({ commit: plan.commitIndex, ...this.#fetch.figures() }, 'state sync: no peer is left to fetch from')
      return false
    }
    this.#phase = 'installing'
    if (this.#isStopped || keeper.executedCommitIndex >= plan.commitIndex) return false
    try {
      await keeper.install(plan)
    } catch (error) {
      if (!isBlyanError(error) || !error.code.startsWith('SNAPSHOT_')) throw error
      this.#refuse(plan.id)
      for (const peer of peers) network.penalise(peer, 40, `a snapshot that is not what it says: ${error.code}`)
      logger.warn({ commit: plan.commitIndex, code: error.code }, `state sync: ${error.message}`)
      return false
    }
    logger.info({ commit: plan.commitIndex, bytes: plan.totalBytes }, 'state sync: the snapshot is installed')
    return true
  }

  /** The one that was begun before, if it is still offered; else the one that most peers offer, else the newest. */
  async #choose(peers: readonly string[]): Promise<Offer | undefined> {
    const { keeper } = this.#needs
    const offers = new Map<string, Offer>()
    const asked = peers.slice(0, peersAskedMax)
    const plans = await Promise.all(asked.map(peer => this.#ask(peer)))
    for (const [place, plan] of plans.entries()) {
      if (plan === undefined || this.#refused.has(plan.id) || plan.commitIndex <= keeper.executedCommitIndex) continue
      const offer = offers.get(plan.id) ?? { plan, peers: [] }
      offer.peers.push(asked[place]!)
      offers.set(plan.id, offer)
    }
    const begun = offers.get((await keeper.started()) ?? '')
    const ranked = [...offers.values()].sort(
      (a, b) => b.peers.length - a.peers.length || b.plan.commitIndex - a.plan.commitIndex
    )
    return begun ?? ranked[0]
  }

  async #ask(peer: string): Promise<SnapshotPlan | undefined> {
    const { network, keeper, logger } = this.#needs
    try {
      const bytes = await network.request(
        peer,
        protocolIds.snapshot,
        encodeCanonical([request.manifest]),
        manifestTimeoutMs
      )
      return bytes.length === 0 ? undefined : keeper.read(bytes)
    } catch (error) {
      const isLie = isBlyanError(error) && error.code.startsWith('SNAPSHOT_')
      if (isLie) network.penalise(peer, 40, error.code)
      logger.debug({ peer, reason: String(error) }, 'state sync: no manifest')
      return undefined
    }
  }

  #refuse(id: string): void {
    this.#refused.add(id)
    if (this.#refused.size > refusedMax) this.#refused.delete(this.#refused.values().next().value!)
  }

  async #serve(bytes: Uint8Array): Promise<Uint8Array> {
    const { keeper } = this.#needs
    const [kind, digest] = readRequest(bytes)
    const found = kind === request.manifest ? await keeper.manifest() : await keeper.chunk(digest)
    return found ?? new Uint8Array(0)
  }

  #log(): void {
    const progress = this.progress()
    if (progress !== undefined) this.#needs.logger.info(progress, 'state sync')
  }
}

function askChunk(digest: string): Uint8Array {
  return encodeCanonical([request.chunk, Buffer.from(digest, 'hex')])
}

/** Throws ENCODING_INVALID. */
function readRequest(bytes: Uint8Array): readonly [kind: number, digest: string] {
  const value = decodeCanonical(bytes, { sizeBytesMax: 64 })
  if (Array.isArray(value)) {
    if (value.length === 1 && value[0] === request.manifest) return [request.manifest, '']
    const digest: unknown = value[1]
    if (value.length === 2 && value[0] === request.chunk && digest instanceof Uint8Array && digest.length === 32)
      return [request.chunk, Buffer.from(digest).toString('hex')]
  }
  throw new BlyanError('ENCODING_INVALID', { reason: 'snapshot request' })
}
