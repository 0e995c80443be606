import { hexToBytes, publicKeyToText } from '../codec/index.ts'
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
import { digestOfEventId } from './event-service.ts'
import type { NodeParts } from './node-parts.ts'
import { StatusReader } from './node-status.ts'
import { blockView, checkpointView, eventLine, eventView, expertView, tensorView } from './views.ts'

const streamQueueMax = 10_000

/** A node that runs: answers from its parts, holds no state of its own but what it measured last. */
export class RunningNode implements BlyanNode {
  readonly #parts: NodeParts
  readonly #close: () => Promise<void>
  readonly #status: StatusReader
  #stopping: Promise<void> | undefined

  constructor(parts: NodeParts, close: () => Promise<void>) {
    this.#parts = parts
    this.#close = close
    this.#status = new StatusReader(parts, () => this.#stopping !== undefined)
  }

  status(): Promise<NodeStatus> {
    return this.#status.read()
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
    return this.#status.notReadyReasons()
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
    const witnesses =
      found === undefined ? { prepared: [], committed: [] } : await quorum.witnesses(found.record.vertexDigest)
    const names = (authors: readonly number[]): string[] =>
      authors.map(author => publicKeyToText(genesis.committee.validators[author]!.publicKey))
    return eventView({
      event,
      record: found?.record,
      handlers,
      prepared: names(witnesses.prepared),
      committed: names(witnesses.committed)
    })
  }

  async *listEvents({ from, limit }: Page): AsyncIterable<EventLine> {
    for await (const found of this.#parts.chains.events(from, limit)) yield eventLine(found)
  }

  eventProof(id: string): Promise<Uint8Array> {
    return this.#parts.chains.proof(digestOfEventId(id)).catch(error => {
      // The chains know digests; people know ids.
      if (error instanceof BlyanError && 'eventId' in error.payload)
        throw new BlyanError(error.code, {
          ...error.payload,
          eventId: eventId(hexToBytes(digestOfEventId(id))!).toString()
        })
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
    return {
      ...stored,
      tensors: stored.tensors.map(({ name, cid, dtype, shape, sizeBytes }) => ({ name, cid, dtype, shape, sizeBytes }))
    }
  }

  async exportTensor(
    cid: string,
    options: { timeoutMs: number; signal?: AbortSignal }
  ): Promise<{ format: TensorFormat; fileName: string; sizeBytes: number; bytes: AsyncIterable<Uint8Array> }> {
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

  async verifyTensor(
    cid: string
  ): Promise<{ readonly valid: boolean; readonly reason: string | null; readonly leavesChecked: number }> {
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
    return {
      ...expertView(part, history.length, tensors.info(part.tensor) !== undefined),
      history: history.map(version => version.block)
    }
  }

  evaluate(input: { text: Uint8Array; timeoutMs: number }): Promise<EvaluateResult> {
    this.#requireExperts()
    return this.#parts.model.evaluate(input)
  }

  generate(input: {
    prompt: Uint8Array
    tokensMax: number
    temperature: number
    seed: number
    signal?: AbortSignal
  }): AsyncIterable<Uint8Array> {
    this.#requireExperts()
    return this.#parts.model.generate(input)
  }

  async *stream({
    statusEveryMs,
    signal
  }: {
    statusEveryMs: number
    signal: AbortSignal
  }): AsyncIterable<StreamMessage> {
    const queue: EventLine[] = []
    let wake = Promise.withResolvers<void>()
    const stop = this.#parts.chains.onFinal(({ event, sequence }) => {
      if (queue.length >= streamQueueMax) return
      queue.push({
        sequence,
        eventId: eventId(hexToBytes(event.digest)!).toString(),
        type: event.envelope.type,
        author: publicKeyToText(event.envelope.author)
      })
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

  #requireExperts(): void {
    if (!this.#parts.input.config.experts.enabled) throw new BlyanError('EXPERTS_DISABLED')
  }
}
