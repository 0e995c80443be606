import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { hexToBytes, publicKeyToText } from '../codec/index.ts'
import { faultsTolerated, promiseOf } from '../consensus/index.ts'
import { eventId, verifyChains } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import type {
  BlockView,
  BlyanNode,
  ChainId,
  ChainVerification,
  CheckpointView,
  EvaluateResult,
  EventLine,
  EventView,
  ExpertView,
  NodeState,
  NodeStatus,
  Page,
  PeerView,
  StreamMessage,
  SubmitRequest,
  SubmittedEvent,
  TensorFormat,
  TensorPut,
  TensorView,
  Wait
} from './blyan-node.ts'
import { freeBytesOf } from './data-folder.ts'
import { digestOfEventId } from './event-service.ts'
import type { NodeParts } from './start-node.ts'
import { blockView, checkpointView, eventLine, eventView, expertView, tensorView } from './views.ts'

const streamQueueMax = 10_000
const diskMeasureEveryMs = 30_000
const tipsShownMax = 64

/** A node that runs: answers from its parts, holds no state of its own but what it measured last. */
export class RunningNode implements BlyanNode {
  readonly #parts: NodeParts
  readonly #close: () => Promise<void>
  readonly #startedAt = new Date().toISOString()
  #usedBytes = 0
  #usedMeasuredAtMs = Number.NEGATIVE_INFINITY
  #stopping: Promise<void> | undefined
  #sync = { atMs: 0, commits: 0, perSecond: 0 }

  constructor(parts: NodeParts, close: () => Promise<void>) {
    this.#parts = parts
    this.#close = close
  }

  async status(): Promise<NodeStatus> {
    const { input, genesis, network, chains, quorum, events, model } = this.#parts
    const view = quorum.view()
    const state = this.#state()
    const committee = genesis.committee
    const last = await chains.checkpoint(chains.certifiedSequence)
    const shown = last === undefined ? undefined : checkpointView(last, committee)
    const heads = { A: chains.head('A'), C: chains.head('C'), D: chains.head('D') }
    const head = (chain: 'A' | 'C' | 'D') => ({ height: heads[chain].height, head: heads[chain].head?.toString() ?? null })
    const account = publicKeyToText(input.keys.account.publicKey)
    return {
      schema: 'blyan.status/1',
      version: input.version,
      network: genesis.file.network,
      genesis: genesis.cid,
      nodeId: network.peerId,
      roles: [...input.config.node.roles],
      state,
      quorum: {
        validators: committee.validators.length,
        connected: view.connectedValidators,
        needed: committee.quorumWeight,
        faultsTolerated: faultsTolerated(committee),
        epoch: committee.epoch,
        round: view.round,
        finalRound: view.finalRound,
        commits: view.commits,
        promise: promiseOf(committee),
        members: committee.validators.map((validator, author) => ({ id: publicKeyToText(validator.publicKey), name: validator.name, origin: validator.origin, region: validator.region, ...view.members[author]! }))
      },
      events: { pending: events.pendingCount, final: chains.eventCount },
      checkpoint: { sequence: shown?.sequence ?? 0, digest: shown?.digest ?? null, signers: shown?.signers.length ?? 0, stateRoot: shown?.stateRoot ?? null },
      chains: { A: head('A'), B: { blocks: chains.head('B').height, tips: chains.tips(tipsShownMax) }, C: head('C'), D: head('D') },
      peers: network.peers().length,
      stake: String(chains.stateValue(`stake/${account}`) ?? '0'),
      disk: { usedBytes: await this.#measureUsedBytes(), freeBytes: await freeBytesOf(input.dataFolder.paths.root) },
      device: model.device,
      sync: this.#syncRate(view.syncing),
      genesisPact: network.agreement(),
      alarms: this.#alarms(),
      account,
      addresses: network.addresses(),
      dataFolder: input.dataFolder.paths.root,
      startedAt: this.#startedAt,
      nextStep: this.#nextStep(state)
    }
  }

  peers(): PeerView[] {
    const { network, genesis, quorum } = this.#parts
    const { members } = quorum.view()
    return network.peers().map(peer => {
      const author = genesis.committee.validators.findIndex(validator => validator.peerId === peer.peerId)
      return {
        peerId: peer.peerId,
        address: peer.address,
        direction: peer.direction,
        version: peer.version,
        roles: peer.roles,
        validator: genesis.committee.validators[author]?.name ?? null,
        round: members[author]?.lastRound ?? null,
        latencyMs: peer.latencyMs,
        score: -peer.penaltyPoints
      }
    })
  }

  notReadyReasons(): string[] {
    const { quorum, genesis } = this.#parts
    const view = quorum.view()
    const reasons: string[] = []
    if (this.#stopping !== undefined) reasons.push('stopping')
    if (view.divergence !== undefined) reasons.push(view.divergence)
    if (view.syncing !== undefined) reasons.push(`catching up: commit ${view.syncing.commitIndex} of ${view.syncing.targetCommitIndex}`)
    // What counts is who can vote together: a follower needs one of them to hear from.
    const needed = this.#parts.validator === undefined ? 1 : genesis.committee.quorumWeight
    if (view.connectedValidators < needed) reasons.push(`${view.connectedValidators} of ${genesis.committee.validators.length} validators connected, ${needed} needed`)
    return reasons
  }

  async metrics(): Promise<string> {
    return this.#parts.metrics.text(await this.status(), this.#parts.quorum.view().memory)
  }

  submitEvent(request: SubmitRequest, wait: Wait): Promise<SubmittedEvent> {
    return this.#parts.events.submit(request, wait)
  }

  async showEvent(id: string): Promise<EventView> {
    const { chains, events, handlers, quorum, genesis } = this.#parts
    const digest = digestOfEventId(id)
    const found = await chains.event(digest)
    const event = found?.event ?? events.pending(digest)
    if (event === undefined) throw new BlyanError('EVENT_UNKNOWN', { eventId: id })
    const witnesses = found === undefined ? { prepared: [], committed: [] } : await quorum.witnesses(found.record.vertexDigest)
    const names = (authors: readonly number[]): string[] => authors.map(author => publicKeyToText(genesis.committee.validators[author]!.publicKey))
    return eventView({ event, record: found?.record, handlers, prepared: names(witnesses.prepared), committed: names(witnesses.committed) })
  }

  async *listEvents({ from, limit }: Page): AsyncIterable<EventLine> {
    for await (const found of this.#parts.chains.events(from, limit)) yield eventLine(found)
  }

  eventProof(id: string): Promise<Uint8Array> {
    return this.#parts.chains.proof(digestOfEventId(id)).catch(error => {
      // The chains know digests; people know ids.
      if (error instanceof BlyanError && 'eventId' in error.payload) throw new BlyanError(error.code, { ...error.payload, eventId: eventId(hexToBytes(digestOfEventId(id))!).toString() })
      throw error
    })
  }

  encodePayload(type: string, json: unknown): Uint8Array {
    return this.#parts.handlers.get(type).encodePayload(json)
  }

  async *chainBlocks(chain: ChainId, { from, limit }: Page): AsyncIterable<BlockView> {
    for (let index = from; index < from + limit; index++) {
      const block = await this.#parts.chains.block(chain, index)
      if (block === undefined) return
      yield blockView(block)
    }
  }

  async verifyChains(): Promise<ChainVerification> {
    const startedAtMs = performance.now()
    const { genesis, handlers, chains, quorum } = this.#parts
    const verdict = await verifyChains({ genesis, handlers, chains, vertices: quorum.store })
    return { ...verdict, elapsedMs: performance.now() - startedAtMs }
  }

  async checkpoint(sequence?: number): Promise<CheckpointView> {
    const { chains, genesis } = this.#parts
    const wanted = sequence ?? chains.certifiedSequence
    const found = await chains.checkpoint(wanted)
    if (found === undefined) throw new BlyanError('CHECKPOINT_UNKNOWN', { sequence: wanted })
    return checkpointView(found, genesis.committee)
  }

  async putTensor(input: { format: TensorFormat; name: string; bytes: AsyncIterable<Uint8Array> }): Promise<TensorPut> {
    await this.#parts.input.dataFolder.requireFreeBytes(this.#parts.input.config.storage.minimumFreeBytes)
    const stored = await this.#parts.tensors.putStream(input)
    return { ...stored, tensors: stored.tensors.map(({ name, cid, dtype, shape, sizeBytes }) => ({ name, cid, dtype, shape, sizeBytes })) }
  }

  async exportTensor(cid: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<{ format: TensorFormat; fileName: string; sizeBytes: number; bytes: AsyncIterable<Uint8Array> }> {
    await this.#parts.tensors.fetch(cid, options)
    return this.#parts.tensors.export(cid)
  }

  async fetchTensor(cid: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<TensorView> {
    const stored = await this.#parts.tensors.fetch(cid, options)
    return { ...tensorView(stored.tensors[0]!), cid: stored.cid }
  }

  async showTensor(cid: string): Promise<TensorView> {
    const found = this.#parts.tensors.find(cid)
    if (found === undefined || found.tensors.length === 0) throw new BlyanError('TENSOR_NOT_FOUND', { cid })
    return { ...tensorView(found.tensors[0]!), cid: found.cid }
  }

  async verifyTensor(cid: string): Promise<{ readonly valid: boolean; readonly reason: string | null; readonly leavesChecked: number }> {
    const { valid, reason, leavesChecked } = await this.#parts.tensors.verify(cid)
    return { valid, reason: reason ?? null, leavesChecked }
  }

  async pinTensor(cid: string, pinned: boolean): Promise<void> {
    await (pinned ? this.#parts.tensors.pin(cid) : this.#parts.tensors.unpin(cid))
  }

  listExperts(): ExpertView[] {
    const { chains, tensors } = this.#parts
    return chains.parts.names().map(name => {
      const part = chains.parts.newest(name)!
      return expertView(part, chains.parts.history(name).length, tensors.info(part.tensor) !== undefined)
    })
  }

  showExpert(name: string): ExpertView & { readonly history: readonly string[] } {
    const { chains, tensors } = this.#parts
    const part = chains.parts.newest(name)
    if (part === undefined) throw new BlyanError('PART_UNKNOWN_ON_CHAIN', { name })
    const history = chains.parts.history(name)
    return { ...expertView(part, history.length, tensors.info(part.tensor) !== undefined), history: history.map(version => version.block) }
  }

  evaluate(input: { text: Uint8Array; timeoutMs: number }): Promise<EvaluateResult> {
    this.#requireExperts()
    return this.#parts.model.evaluate(input)
  }

  generate(input: { prompt: Uint8Array; tokensMax: number; temperature: number; seed: number; signal?: AbortSignal }): AsyncIterable<Uint8Array> {
    this.#requireExperts()
    return this.#parts.model.generate(input)
  }

  async *stream({ statusEveryMs, signal }: { statusEveryMs: number; signal: AbortSignal }): AsyncIterable<StreamMessage> {
    const queue: EventLine[] = []
    let wake = Promise.withResolvers<void>()
    const stop = this.#parts.chains.onFinal(({ event, sequence }) => {
      if (queue.length >= streamQueueMax) return
      queue.push({ sequence, eventId: eventId(hexToBytes(event.digest)!).toString(), type: event.envelope.type, author: publicKeyToText(event.envelope.author) })
      wake.resolve()
    })
    const onAbort = (): void => wake.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      for (let statusAtMs = 0; !signal.aborted; ) {
        for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield { kind: 'event', event }
        if (performance.now() >= statusAtMs) {
          yield { kind: 'status', status: await this.status() }
          statusAtMs = performance.now() + statusEveryMs
        }
        if (queue.length > 0 || signal.aborted) continue
        wake = Promise.withResolvers<void>()
        const timer = setTimeout(() => wake.resolve(), Math.max(0, statusAtMs - performance.now()))
        await wake.promise
        clearTimeout(timer)
      }
    } finally {
      stop()
      signal.removeEventListener('abort', onAbort)
    }
  }

  setLogLevel(component: string, level: string): void {
    this.#parts.input.logger.setLevel(component, level)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close()
    return this.#stopping
  }

  #state(): NodeState {
    if (this.#stopping !== undefined) return 'stopping'
    const view = this.#parts.quorum.view()
    if (view.divergence !== undefined) return 'degraded'
    if (view.syncing !== undefined) return 'syncing'
    return this.notReadyReasons().length === 0 ? 'ready' : view.commits === 0 ? 'starting' : 'degraded'
  }

  #alarms(): string[] {
    const alarms: string[] = []
    const { divergence } = this.#parts.quorum.view()
    if (divergence !== undefined) alarms.push(divergence)
    if (this.#parts.network.agreement().alarm) alarms.push('fewer than 75% of the peers asked share our genesis')
    return alarms
  }

  #nextStep(state: NodeState): string | null {
    if (state === 'ready') return null
    const reasons = this.notReadyReasons()
    if (state === 'degraded' && this.#alarms().length > 0) return 'run "blyan-node chain verify" and compare this node with others before you trust it'
    if (state === 'syncing') return 'wait: the node is fetching what it missed'
    return reasons.length === 0 ? null : `${reasons[0]}: check network.peers and the other nodes`
  }

  #syncRate(syncing: { readonly commitIndex: number; readonly targetCommitIndex: number } | undefined): NodeStatus['sync'] {
    if (syncing === undefined) return null
    const nowMs = performance.now()
    const elapsedMs = nowMs - this.#sync.atMs
    if (elapsedMs > 500) this.#sync = { atMs: nowMs, commits: syncing.commitIndex, perSecond: Math.max(0, Math.round(((syncing.commitIndex - this.#sync.commits) * 1000) / elapsedMs)) }
    return { commit: syncing.commitIndex, targetCommit: syncing.targetCommitIndex, commitsPerSecond: this.#sync.perSecond }
  }

  async #measureUsedBytes(): Promise<number> {
    if (performance.now() - this.#usedMeasuredAtMs > diskMeasureEveryMs) {
      this.#usedMeasuredAtMs = performance.now()
      this.#usedBytes = await sizeOfFolder(this.#parts.input.dataFolder.paths.root)
    }
    return this.#usedBytes
  }

  #requireExperts(): void {
    if (!this.#parts.input.config.experts.enabled) throw new BlyanError('EXPERTS_DISABLED')
  }
}

async function sizeOfFolder(folder: string): Promise<number> {
  let sizeBytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (!entry.isFile()) continue
    // Files come and go while LevelDB works.
    sizeBytes += (await stat(path.join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size
  }
  return sizeBytes
}
