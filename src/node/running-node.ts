import { hexToBytes, publicKeyToText } from '../codec/index.ts'
import { eventId, type PartVersion, verifyChains } from '../dag/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import type {
  AnswerRequest,
  BlockView,
  BlyanNode,
  ChainId,
  ChainVerification,
  CheckpointView,
  EvaluateResult,
  EventLine,
  EventView,
  ExpertEvidenceCheck,
  ExpertHolderView,
  ExpertView,
  ImportLine,
  ImportRequest,
  LearningAccess,
  LedgerAccess,
  ModelEntry,
  NodeStatus,
  OffenceView,
  Page,
  PeerView,
  RunningAnswer,
  SnapshotView,
  StreamMessage,
  SubmitRequest,
  SubmittedEvent,
  TensorFormat,
  TensorPut,
  TensorView,
  Tokenizer,
  ValidatorChange,
  ValidatorsView,
  Wait
} from './blyan-node.ts'
import { digestOfEventId } from './event-answer.ts'
import { finalityOf } from './finality.ts'
import { NodeGlancer } from './node-glance.ts'
import type { NodeParts } from './node-parts.ts'
import { StatusReader } from './node-status.ts'
import { nodeStream } from './node-stream.ts'
import { NodeWatch } from './node-watch.ts'
import { missingBlock, missingCheckpoint, missingEvent } from './pruned-history.ts'
import {
  blockView,
  checkpointView,
  eventLine,
  eventView,
  expertHolderView,
  expertView,
  snapshotView,
  tensorView
} from './views.ts'

/** A node that runs: answers from its parts, holds no state of its own but what it measured last. */
export class RunningNode implements BlyanNode {
  readonly #parts: NodeParts
  readonly #close: () => Promise<void>
  readonly #glancer: NodeGlancer
  readonly #watch: NodeWatch
  readonly #status: StatusReader
  #stopping: Promise<void> | undefined

  constructor(parts: NodeParts, close: () => Promise<void>) {
    this.#parts = parts
    this.#close = close
    this.#glancer = new NodeGlancer(parts, () => this.#stopping !== undefined)
    this.#watch = new NodeWatch({ parts, glancer: this.#glancer })
    this.#status = new StatusReader({ parts, glancer: this.#glancer, transitions: () => this.#watch.lines })
    this.#watch.start()
  }

  status(): Promise<NodeStatus> {
    return this.#status.read()
  }

  peers(): PeerView[] {
    const { committee, members } = this.#glancer.look()
    return this.#parts.network.peers().map(peer => {
      const author = committee.validators.findIndex(validator => validator.peerId === peer.peerId)
      const member = members[author] ?? null
      return {
        peerId: peer.peerId,
        address: peer.address,
        direction: peer.direction,
        version: peer.version,
        roles: peer.roles,
        validator: member?.name ?? null,
        round: member?.lastRound ?? null,
        latencyMs: peer.latencyMs,
        score: -peer.penaltyPoints,
        member
      }
    })
  }

  notReadyReasons(): string[] {
    return [...this.#glancer.look().notReady]
  }

  degradedReasons(): string[] {
    return [...this.#glancer.look().degraded]
  }

  async metrics(): Promise<string> {
    const { metrics, quorum, learning } = this.#parts
    return metrics.text(await this.status(), quorum.view().memory, learning.status())
  }

  submitEvent(request: SubmitRequest, wait: Wait): Promise<SubmittedEvent> {
    return this.#parts.events.submit(request, wait)
  }

  submitSignedEvents(signedEvents: readonly Uint8Array[], wait: Wait): Promise<(SubmittedEvent | BlyanError)[]> {
    return this.#parts.events.submitSigned(signedEvents, wait)
  }

  async checkExpertEvidence(number: number): Promise<ExpertEvidenceCheck> {
    const { chains, experts } = this.#parts
    const { checkExpertEvidence } = await import('./views/expert-evidence-view.ts')
    return checkExpertEvidence({ ledger: this.ledger, chains, lastWord: experts.integrity.lastWord }, number)
  }

  async showEvent(id: string): Promise<EventView> {
    const { chains, events, handlers, quorum } = this.#parts
    const digest = digestOfEventId(id)
    const found = await chains.event(digest)
    const event = found?.event ?? events.pending(digest)
    if (event === undefined) throw missingEvent(chains, id)
    const witnesses =
      found === undefined ? { prepared: [], committed: [] } : await quorum.witnesses(found.record.vertexDigest)
    const vertex = found === undefined ? undefined : await quorum.store.vertex(found.record.vertexDigest)
    const committee = chains.committeeOf(vertex?.header.epoch ?? 0)
    const names = (authors: readonly number[]): string[] =>
      authors.map(author => publicKeyToText(committee!.validators[author]!.publicKey))
    return eventView({
      event,
      record: found?.record,
      finality: found === undefined ? 'pending' : finalityOf(this.#parts, found.record.commitIndex),
      handlers,
      prepared: names(witnesses.prepared),
      committed: names(witnesses.committed)
    })
  }

  async *listEvents({ from, limit }: Page): AsyncIterable<EventLine> {
    for await (const found of this.#parts.chains.events(from, limit))
      yield eventLine(found, finalityOf(this.#parts, found.record.commitIndex))
  }

  eventProof(id: string): Promise<Uint8Array> {
    return this.#parts.chains.proof(digestOfEventId(id)).catch(error => {
      if (isBlyanError(error, 'EVENT_UNKNOWN')) throw missingEvent(this.#parts.chains, id)
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
      if (block === undefined) {
        const missing = missingBlock(this.#parts.chains, chain, index)
        if (missing === undefined) return
        throw missing
      }
      yield blockView(block)
    }
  }

  get learning(): LearningAccess {
    return this.#parts.learning
  }

  get ledger(): LedgerAccess {
    const { genesis, chains, input } = this.#parts
    return {
      genesis,
      state: chains.state,
      entries: (prefix, limit) => chains.stateEntries(prefix, limit),
      account: publicKeyToText(input.keys.account.publicKey),
      validatorKeys: input.keys.validators.map(({ key }) => publicKeyToText(key.publicKey))
    }
  }

  validators(): ValidatorsView {
    return this.#parts.validators.view()
  }

  changeValidators(change: ValidatorChange, wait: Wait): Promise<SubmittedEvent> {
    return this.#parts.validators.change(change, wait)
  }

  listOffences(limit: number): AsyncIterable<OffenceView> {
    return this.#parts.validators.offences(limit)
  }

  async verifyChains(): Promise<ChainVerification> {
    const startedAtMs = performance.now()
    const { genesis, handlers, chains, quorum } = this.#parts
    const verdict = await verifyChains({ genesis, handlers, chains, vertices: quorum.store })
    return { ...verdict, elapsedMs: performance.now() - startedAtMs }
  }

  async createSnapshot(): Promise<SnapshotView> {
    return snapshotView(await this.#parts.chains.snapshots.create())
  }

  async listSnapshots(): Promise<SnapshotView[]> {
    return (await this.#parts.chains.snapshots.shelf.list()).map(snapshotView)
  }

  async checkpoint(sequence?: number): Promise<CheckpointView> {
    const { chains } = this.#parts
    const wanted = sequence ?? chains.certifiedSequence
    const found = await chains.checkpoint(wanted)
    if (found === undefined) throw missingCheckpoint(chains, wanted)
    return checkpointView(found, chains.committeeOf(found.checkpoint.epoch))
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
    const { parts } = this.#parts.chains
    return parts.names().map(name => this.#expertView(parts.newest(name)!))
  }

  showExpert(name: string): ReturnType<BlyanNode['showExpert']> {
    const { chains, experts } = this.#parts
    const part = chains.parts.newest(name)
    if (part === undefined) throw new BlyanError('PART_UNKNOWN_ON_CHAIN', { name })
    return {
      ...this.#expertView(part),
      history: chains.parts.history(name).map(version => version.block),
      tensors: chains.parts.history(name).map(version => version.tensor),
      heldBy: experts.caller.holdersOf(part.tensor).map(expertHolderView)
    }
  }

  listHolders(): ExpertHolderView[] {
    return this.#parts.experts.caller.holders().map(expertHolderView)
  }

  #expertView(part: PartVersion): ExpertView {
    const { chains, tensors, experts } = this.#parts
    const isHere = tensors.info(part.tensor) !== undefined
    return expertView(
      part,
      chains.parts.history(part.name).length,
      isHere,
      experts.caller.holdersOf(part.tensor).length
    )
  }

  evaluate(input: Parameters<BlyanNode['evaluate']>[0]): Promise<EvaluateResult> {
    this.#requireExperts()
    return this.#parts.experts.bytes.evaluate(input)
  }

  generate(input: Parameters<BlyanNode['generate']>[0]): AsyncIterable<Uint8Array> {
    this.#requireExperts()
    return this.#parts.experts.bytes.generate(input)
  }

  models(): ModelEntry[] {
    return this.#parts.experts.answers.models()
  }

  importModel(request: ImportRequest): AsyncIterable<ImportLine> {
    return this.#parts.imports.import(request)
  }

  tokenizer(model: string | undefined): Promise<Tokenizer> {
    return this.#parts.experts.answers.tokenizerOf(model)
  }

  answer(request: AnswerRequest): Promise<RunningAnswer> {
    return this.#parts.experts.answers.answer(request)
  }

  stream(options: { statusEveryMs: number; signal: AbortSignal }): AsyncIterable<StreamMessage> {
    return nodeStream({ parts: this.#parts, status: () => this.status(), ...options })
  }

  setLogLevel(component: string, level: string): void {
    this.#parts.input.logger.setLevel(component, level)
  }

  stop(): Promise<void> {
    this.#watch.stop()
    this.#stopping ??= this.#close()
    return this.#stopping
  }

  #requireExperts(): void {
    if (!this.#parts.input.config.experts.enabled) throw new BlyanError('EXPERTS_DISABLED')
  }
}
