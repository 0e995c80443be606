import { randomBytes } from 'node:crypto'
import { publicKeyToText, type SigningKey } from '../../codec/index.ts'
import type { Genesis } from '../../dag/index.ts'
import { describeError } from '../../errors/index.ts'
import { describeModel } from '../../experts/index.ts'
import {
  type Arithmetic,
  createReputation,
  type Exhibit,
  encodeExpertEvidence,
  exhibitOf,
  type Reputation,
  statementsOf
} from '../../guardian/index.ts'
import { type Network, publicKeyOfPeerId } from '../../net/index.ts'
import {
  type CallAuditor,
  type CallAuditorNeeds,
  type Committer,
  createCallAuditor,
  createCommitter,
  createLastWord,
  createSpotChecks,
  type LastWord,
  type SpotChecks,
  type WeightsAt,
  type WrongRow
} from '../../routing/index.ts'
import type { TensorInfo, TensorStore } from '../../tiles/index.ts'
import type { ModelPart } from '../answers/answer-types.ts'
import type { EventService } from '../event-service.ts'
import type { Logger } from '../logging.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'

/** Checks of answers in one node: what it signs as a holder, what it looks at as a gateway, what it brings before the chain. */
export interface IntegrityService {
  readonly reputation: Reputation
  readonly auditor: CallAuditor
  readonly lastWord: LastWord
  readonly spotChecks: SpotChecks
  /** For one channel on which this node answers. */
  committerFor(gateway: string): Committer
  /** From here on weights can be looked at. */
  open(rooms: IntegrityRooms): void
  stop(): Promise<void>
}

export type IntegrityRooms = {
  readonly tensors: Pick<TensorStore, 'info' | 'verify' | 'fetchTensor' | 'prove'>
  readonly catalogue: Pick<ModelCatalogue, 'findTensor'>
  /** How the engine here computes with these weights. */
  readonly arithmetic: (weights: string) => Arithmetic
  /** In the engine, behind answers; undefined when the weights are not mapped here. */
  readonly recompute: CallAuditorNeeds['recompute']
  readonly ask?: CallAuditorNeeds['ask']
  /** Bytes of weights that may be fetched only to look at an answer. */
  readonly roomBytes: () => number
  readonly onFetched: (parts: readonly ModelPart[]) => void
}

export type IntegrityServiceNeeds = {
  readonly genesis: Genesis
  readonly network: Pick<Network, 'peerId' | 'serve' | 'request'>
  readonly nodeKey: SigningKey
  readonly events: Pick<EventService, 'submit'>
  readonly logger: Logger
}

export const integrityLimits = Object.freeze({
  /** Weights of an expert that is held by one other node only are fetched to look at it, this often at most. */
  fetchEveryMs: 60_000,
  fetchTimeoutMs: 45_000,
  /** So many rows that cannot be right are brought before the chain together. */
  exhibitsPerEvent: 2,
  holdersMax: 256
})

/** Must be created before the network starts. */
export function createIntegrityService(needs: IntegrityServiceNeeds): IntegrityService {
  return new NodeIntegrity(needs)
}

class NodeIntegrity implements IntegrityService {
  readonly #needs: IntegrityServiceNeeds
  readonly reputation = createReputation()
  readonly auditor: CallAuditor
  readonly lastWord: LastWord
  readonly spotChecks: SpotChecks
  readonly #exhibits = new Map<string, Exhibit[]>()
  readonly #bringing = new Set<Promise<unknown>>()
  #rooms: IntegrityRooms | undefined
  #fetchedAtMs = Number.NEGATIVE_INFINITY

  constructor(needs: IntegrityServiceNeeds) {
    this.#needs = needs
    const { genesis, network, nodeKey, logger } = needs
    const shared = {
      keyOfPeer: publicKeyOfPeerId,
      reputation: this.reputation,
      nowMs: () => performance.now(),
      logger
    }
    this.lastWord = createLastWord({ locate: weights => this.#locate(weights) })
    this.spotChecks = createSpotChecks({
      ...shared,
      network,
      networkDigest: genesis.digest,
      key: nodeKey,
      prove: async (weights, salt, count) => this.#rooms?.tensors.prove(weights, salt, count)
    })
    this.auditor = createCallAuditor({
      ...shared,
      network: genesis.digest,
      gateway: network.peerId,
      secret: new Uint8Array(randomBytes(32)),
      recompute: async (recheck, signal) => this.#rooms?.recompute(recheck, signal),
      lastWord: this.lastWord.outputOf,
      ask: async (recheck, whom, signal) => this.#rooms?.ask?.(recheck, whom, signal),
      onDrawn: (holder, weights) => this.spotChecks.onCall(holder, weights),
      onWrong: wrong => this.#keep(wrong)
    })
  }

  open(rooms: IntegrityRooms): void {
    this.#rooms = rooms
  }

  committerFor(gateway: string): Committer {
    const { genesis, nodeKey } = this.#needs
    const arithmetic = (weights: string): Arithmetic => this.#rooms?.arithmetic(weights) ?? 'float'
    return createCommitter({ key: nodeKey, network: genesis.digest, gateway, arithmetic })
  }

  async stop(): Promise<void> {
    await this.auditor.stop()
    await this.spotChecks.stop()
    await Promise.allSettled(this.#bringing)
  }

  /** The weights on this disk, hashed now: nobody is accused because of a disk that is damaged. */
  async #locate(weights: string): Promise<WeightsAt | undefined> {
    const rooms = this.#rooms
    const found = rooms?.catalogue.findTensor(weights)
    if (rooms === undefined || found === undefined) return undefined
    const info = rooms.tensors.info(weights) ?? (await this.#fetch(rooms, found.part))
    if (info === undefined || !(await rooms.tensors.verify(weights)).valid) return undefined
    const part = describeModel(found.entry.architecture).find(({ name }) => name === found.part.part)
    if (part === undefined || part.dataLengthBytes !== info.dataLengthBytes) return undefined
    return { part, path: info.path, dataOffsetBytes: info.dataOffsetBytes }
  }

  async #fetch(rooms: IntegrityRooms, part: ModelPart): Promise<TensorInfo | undefined> {
    const nowMs = performance.now()
    const isTooSoon = nowMs - this.#fetchedAtMs < integrityLimits.fetchEveryMs
    if (isTooSoon || part.lengthBytes > rooms.roomBytes()) return undefined
    this.#fetchedAtMs = nowMs
    try {
      const info = await rooms.tensors.fetchTensor(part.tensor, { timeoutMs: integrityLimits.fetchTimeoutMs })
      rooms.onFetched([part])
      return info
    } catch {
      return undefined
    }
  }

  #keep({ call, load, row }: WrongRow): void {
    const exhibits = this.#exhibits.get(call.holder) ?? []
    exhibits.push(exhibitOf(call.commitment, call.loads, { load, row }))
    this.#exhibits.delete(call.holder)
    if (this.#exhibits.size >= integrityLimits.holdersMax) this.#exhibits.delete(this.#exhibits.keys().next().value!)
    this.#exhibits.set(call.holder, exhibits)
    if (exhibits.length < integrityLimits.exhibitsPerEvent) return
    this.#exhibits.delete(call.holder)
    const work = this.#bring(call.holder, exhibits)
    this.#bringing.add(work)
    void work.finally(() => this.#bringing.delete(work))
  }

  /** Only what anybody with the weights will find proven is brought. */
  async #bring(holder: string, exhibits: readonly Exhibit[]): Promise<void> {
    const { genesis, events, logger } = this.#needs
    try {
      const proven: Exhibit[] = []
      for (const exhibit of exhibits) {
        const [statement] = statementsOf([exhibit], genesis.digest)
        if ((await this.lastWord.judge(statement!))?.isProven === true) proven.push(exhibit)
      }
      const payload = encodeExpertEvidence(proven)
      if (payload === undefined) return logger.info({ holder }, 'what a holder did cannot be proven by an event')
      await events.submit({ type: 'expert-evidence', payload }, { wait: false, timeoutMs: 1 })
      const key = publicKeyOfPeerId(holder)
      logger.warn({ holder, key: key && publicKeyToText(key) }, 'evidence against a holder was brought')
    } catch (error) {
      logger.info({ holder, code: describeError(error).code }, 'evidence against a holder could not be brought')
    }
  }
}
