import type { PeerProgress } from '../../src/consensus/core/peer-table.ts'
import { genesisPoint, Replica } from '../../src/consensus/core/replica.ts'
import type { Effect, ReplicaView } from '../../src/consensus/core/replica-types.ts'
import type { CertifiedCheckpoint } from '../../src/consensus/core/votes.ts'
import type { Vertex } from '../../src/consensus/index.ts'
import { EvidenceWatch } from './evidence-watch.ts'
import { Failure } from './judge.ts'
import type { Liar } from './liar.ts'
import { Relays } from './relays.ts'
import { restoredFrom } from './restored.ts'
import { CrashSignal, type DiskImage, SimulatedDisk, type Snapshot } from './simulated-disk.ts'
import { SimulatedExchange } from './simulated-exchange.ts'
import { type ExecutedOutcome, SimulatedJournal } from './simulated-journal.ts'
import { type Checkpoint, type Executed, Ledger } from './simulated-ledger.ts'
import { SimulatedSigner } from './simulated-signer.ts'
import { SnapshotMaker } from './snapshot-maker.ts'
import type { World } from './world.ts'

const progressEveryMs = 1000
const quietProgressEveryMs = 30_000

/** One process: the real replica, a store that can lose its tail, floors that stay unless they are taken away. */
export class SimulatedNode {
  readonly index: number
  readonly disk = new SimulatedDisk()
  liar: Liar | undefined
  replica: Replica | undefined
  ledger: Ledger
  /** Own place in the committee of the epoch; undefined while no member. */
  self: number | undefined
  readonly #world: World
  readonly #exchange: SimulatedExchange
  readonly signer: SimulatedSigner
  readonly #peers = new Set<number>()
  readonly #relays: Relays
  readonly #evidence: EvidenceWatch
  readonly #snapshots: SnapshotMaker
  #journal: SimulatedJournal | undefined
  #life = 0
  #replicas = 0
  #pausedUntilMs = 0
  #progressSent = ''
  #progressSentAtMs = Number.NEGATIVE_INFINITY

  constructor(index: number, world: World) {
    this.index = index
    this.#world = world
    this.ledger = new Ledger(world.rules)
    this.signer = new SimulatedSigner(world.keyring)
    this.#relays = new Relays(this, world)
    this.#evidence = new EvidenceWatch(index, world)
    this.#snapshots = new SnapshotMaker(world)
    this.#exchange = new SimulatedExchange(this, world)
  }

  get isUp(): boolean {
    return this.replica !== undefined
  }

  get isReachable(): boolean {
    return this.isUp && this.#pausedUntilMs <= this.#world.queue.nowMs
  }

  get life(): number {
    return this.#life
  }

  get key(): string | undefined {
    return this.self === undefined ? undefined : this.ledger.epoch.committee.validators[this.self]!.name
  }

  get view(): ReplicaView | undefined {
    return this.replica?.view()
  }

  get certifiedCommitIndex(): number {
    const { certificates, checkpoints } = this.disk.image
    let best = 0
    for (const [sequence, { checkpoint }] of certificates)
      best = Math.max(best, (checkpoint ?? checkpoints.get(sequence))?.commitIndex ?? 0)
    return Math.min(best, this.ledger.lastCommit?.index ?? 0)
  }

  start(): void {
    const life = ++this.#life
    const { image } = this.disk
    this.ledger = image.base?.ledger.clone() ?? new Ledger(this.#world.rules)
    for (const executed of image.commits) {
      if (executed.commit.index <= (this.ledger.lastCommit?.index ?? 0)) continue
      if (this.ledger.nextEpoch !== undefined) this.ledger.enterNextEpoch()
      const { checkpoint } = this.ledger.execute(executed)
      if (checkpoint !== undefined) image.checkpoints.set(checkpoint.sequence, checkpoint)
    }
    const { nextEpoch, lastCheckpoint } = this.ledger
    if (nextEpoch !== undefined && image.certificates.has(lastCheckpoint!.sequence)) this.ledger.enterNextEpoch()
    this.#guard(() => this.#build())
    const loop = (): void => {
      if (this.#life !== life || this.replica === undefined) return
      this.replica.tick()
      this.#drain()
      this.#tellProgress()
      this.later(this.replica?.tickWithinMs ?? 0, loop)
    }
    this.take(loop)
  }

  /** Everything in memory is gone. */
  die(): void {
    this.#evidence.close()
    this.#life++
    this.replica = undefined
    this.#journal = undefined
    this.#peers.clear()
    this.#relays.clear()
    this.#snapshots.forget()
    this.#pausedUntilMs = 0
    this.#world.network.hangUp(this.index)
  }

  /** SIGSTOP: what arrives and what is due waits. */
  pause(forMs: number): void {
    this.#pausedUntilMs = this.#world.queue.nowMs + forMs
  }

  closeEvidence(): void {
    this.#evidence.close()
  }

  /** Lets `what` happen in this process now, or when it wakes up; never once it is dead. */
  take(what: (node: SimulatedNode) => void): void {
    if (this.replica === undefined) return
    const { nowMs } = this.#world.queue
    if (this.#pausedUntilMs > nowMs) {
      this.later(0, () => what(this))
      return
    }
    this.#guard(() => {
      what(this)
      this.#drain()
    })
  }

  /** A crash that a write brings ends this process, and nothing else. */
  #guard(what: () => void): void {
    const life = this.#life
    try {
      what()
    } catch (error) {
      if (!(error instanceof CrashSignal)) throw error
      if (this.#life === life) this.#world.onCrash(this.index, error.how)
    }
  }

  later(delayMs: number, what: () => void): void {
    const life = this.#life
    const { queue } = this.#world
    queue.after(Math.max(delayMs, this.#pausedUntilMs - queue.nowMs), () => {
      if (this.#life === life) this.take(what)
    })
  }

  submit(id: string): boolean {
    let isTaken = false
    this.take(() => {
      isTaken = this.replica!.submit([{ id, bytes: Buffer.from(id) }])
    })
    return isTaken && this.isUp
  }

  peerConnected(peer: number): void {
    this.#peers.add(peer)
    this.replica!.peerConnected(String(peer), this.#validatorOf(peer))
    this.#greet(peer)
    this.#relays.choose(this.#peers)
  }

  peerDisconnected(peer: number): void {
    this.#peers.delete(peer)
    this.#relays.gone(peer)
    this.replica!.peerDisconnected(String(peer))
  }

  receiveVertex(from: number, vertex: Vertex): void {
    const { replica } = this
    if (vertex.header.round <= replica!.gcRound || replica!.vertex(vertex.digest) !== undefined) return
    if (this.#world.verdicts.isSound(vertex, this.ledger.epoch.committee)) replica!.receive(String(from), [vertex])
    else this.#world.trace.happened('vertex refused', this.index, from)
  }

  /** Replaces everything by a snapshot that was verified. */
  install(snapshot: Snapshot): void {
    const { judge, trace } = this.#world
    if (this.liar === undefined) judge.installed(this.index, snapshot.checkpoint)
    trace.happened('snapshot installed', this.index, snapshot.checkpoint.commitIndex)
    this.#journal!.settle()
    this.disk.synced(this.disk.append([{ kind: 'installed', snapshot }]))
    this.ledger = snapshot.ledger.clone()
    if (this.ledger.nextEpoch !== undefined) this.ledger.enterNextEpoch()
    this.#rebuild()
  }

  /** Sends a vertex of ours, or what a liar made, to all that get our vertices. */
  broadcast(vertex: Vertex, isMeant: (peer: number) => boolean = () => true): void {
    for (const peer of this.#peers)
      if ((this.#validatorOf(peer) !== undefined || this.#relays.serves(peer)) && isMeant(peer)) this.push(peer, vertex)
  }

  push(peer: number, vertex: Vertex): void {
    const { network, judge } = this.#world
    const author = this.ledger.epochs[vertex.header.epoch]?.committee.validators[vertex.header.author]
    if (author !== undefined) judge.sawVertex(vertex, author.name)
    network.send(this.index, peer, node => node.receiveVertex(this.index, vertex), true)
  }

  get peers(): ReadonlySet<number> {
    return this.#peers
  }

  addRelay(peer: number): void {
    this.#relays.add(peer)
    for (const tip of this.replica!.tips()) this.push(peer, tip)
  }

  /** A new replica over what is on disk, as after a start, an epoch's end or a snapshot. */
  #build(): void {
    const { parameters, rules } = this.#world
    const replicaNumber = ++this.#replicas
    const { epoch, lastCheckpoint } = this.ledger
    const place = epoch.committee.validators.findIndex(validator => validator.peerId === String(this.index))
    this.self = place === -1 ? undefined : place
    const floor = this.signer.open(this.key)
    this.replica = new Replica({
      epoch,
      // A liar makes its vertices itself.
      self: this.liar === undefined ? this.self : undefined,
      parameters,
      context: {
        monotonicMs: () => this.#world.monotonicMs(this.index),
        wallMs: () => this.#world.wallMs(this.index)
      },
      isRecovering: floor === undefined,
      restored: restoredFrom({
        node: this.index,
        image: this.disk.image,
        ledger: this.ledger,
        floor,
        parameters,
        genesis: genesisPoint(rules.genesis.digest, rules.genesis.timestampMs)
      })
    })
    if (this.replica.lastOwn !== undefined) this.signer.cover(this.key!, this.replica.lastOwn)
    this.#journal = new SimulatedJournal({
      disk: this.disk,
      ledger: this.ledger,
      later: (delayMs, what) => this.later(delayMs, () => replicaNumber === this.#replicas && what()),
      nowMs: () => this.#world.queue.nowMs,
      latencyMs: () => this.#diskLatencyMs(),
      onCommit: executed => this.#noteCommit(executed),
      onExecuted: outcome => this.#noteExecuted(outcome)
    })
    const isOpen = lastCheckpoint !== undefined && !this.disk.image.certificates.has(lastCheckpoint.sequence)
    this.replica.executed(this.replica.point.index, {
      ordered: [],
      eventsSinceCheckpoint: this.ledger.eventsSinceCheckpoint,
      epochClosesAt: this.ledger.epochClosesAt,
      ...this.#vote(isOpen ? lastCheckpoint : undefined)
    })
    this.#drain()
  }

  #noteCommit(executed: Executed): void {
    const { lastCheckpoint } = this.ledger
    const { index, round } = executed.commit
    if (lastCheckpoint?.commitIndex === index) this.disk.image.checkpoints.set(lastCheckpoint.sequence, lastCheckpoint)
    this.#world.trace.happened('commit', this.index, index, () => {
      const digest = executed.digest.slice(0, 8)
      return `commit ${index} (${digest}) round ${round}: ${executed.ids.join(', ') || 'no events'}`
    })
    if (this.liar === undefined) this.#world.judge.executed(this.index, executed, this.ledger)
  }

  #noteExecuted(outcome: ExecutedOutcome): void {
    const { checkpoint } = outcome
    if (checkpoint !== undefined) this.#snapshots.executed(checkpoint, this.ledger)
    this.replica!.executed(outcome.commitIndex, { ...outcome, ...this.#vote(checkpoint) })
  }

  #vote(checkpoint: Checkpoint | undefined): ReturnType<SimulatedSigner['vote']> {
    if (this.liar === undefined) return this.signer.vote(this.key, checkpoint)
    if (checkpoint === undefined) return {}
    if (this.self !== undefined) this.liar.executed(checkpoint)
    return { checkpoint: { sequence: checkpoint.sequence, digest: checkpoint.digest } }
  }

  #certified({ certificate }: Extract<Effect, { kind: 'certified' }>): void {
    const { sequence } = certificate
    const checkpoint = this.disk.image.checkpoints.get(sequence)
    this.#world.trace.happened('certified', this.index, sequence)
    if (this.liar === undefined) this.#world.judge.certified(this.index, certificate, this.ledger.epoch.committee)
    this.#journal!.add({ kind: 'certificate', certificate, checkpoint })
    this.disk.image.certificates.set(sequence, { certificate, checkpoint })
    const parts = this.#snapshots.certified(certificate, this.disk)
    if (parts.length > 0) this.#world.trace.happened('snapshot made', this.index, checkpoint!.commitIndex)
    for (const part of parts) this.#journal!.add(part)
  }

  #drain(): void {
    for (
      let effects = this.replica?.takeEffects() ?? [];
      effects.length > 0;
      effects = this.replica?.takeEffects() ?? []
    ) {
      const { replica } = this
      for (const effect of effects) if (this.replica === replica) this.#perform(effect)
    }
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'store':
        for (const vertex of effect.vertices) {
          this.#journal!.add({ kind: 'vertex', vertex })
          if (this.liar === undefined) this.#evidence.stored(vertex)
          this.#relays.pass(vertex)
        }
        break
      case 'sign':
        this.#sign(effect)
        break
      case 'broadcast':
        this.broadcast(effect.vertex)
        break
      case 'commit':
        if (this.liar === undefined) this.#world.watch?.(this.ledger.epoch.committee, effect.commit, effect.vertices)
        this.#journal!.execute(effect)
        break
      case 'certified':
        this.#certified(effect)
        break
      case 'ordered': {
        const { certificate } = effect
        const checkpoint = this.disk.image.checkpoints.get(certificate.sequence)
        this.#world.trace.happened('ordered, not final', this.index, certificate.sequence)
        if (checkpoint !== undefined) this.#journal!.add({ kind: 'ordered', certificate, checkpoint })
        break
      }
      case 'greet':
        this.#greet(Number(effect.peer))
        break
      case 'fetchVertices':
        this.#exchange.fetchVertices(effect)
        break
      case 'fetchCommits':
        this.#exchange.fetchCommits(effect)
        break
      case 'stateSync':
        this.#exchange.fetchSnapshot(effect)
        break
      case 'askWitness':
        this.#exchange.askWitness(effect)
        break
      case 'recovered':
        this.#world.trace.happened('recovered', this.index, effect.round)
        this.signer.recovered(this.key!, {
          epoch: this.ledger.epoch.committee.epoch,
          round: effect.round,
          checkpointSequence: Math.max(0, ...this.disk.image.certificates.keys())
        })
        break
      case 'equivocation':
        this.#world.trace.happened('equivocation found', this.index, effect.first.header.author)
        if (this.liar === undefined) this.#evidence.reported(effect.first, effect.second)
        break
      case 'epochEnded':
        this.#nextEpoch()
        break
      case 'diverged':
        this.#alarm(`checkpoint ${effect.sequence} is ${effect.ours} here, ${effect.theirs} elsewhere`)
        break
      case 'doppelganger':
        this.#alarm(`somebody else signed ${effect.vertex.digest} in round ${effect.vertex.header.round}`)
        break
    }
  }

  /** Stored first, then the floor, then shown. */
  #sign(effect: Extract<Effect, { kind: 'sign' }>): void {
    const { header, headerBytes, digest, body } = effect
    const key = this.key!
    const signed = this.signer.sign(key, { header, headerBytes, digest, body })
    const { replica } = this
    if (signed === undefined) {
      this.later(0, () => replica!.signed(undefined))
      return
    }
    this.#journal!.keep({ kind: 'vertex', vertex: signed }, () => {
      this.signer.keep(key)
      this.#world.trace.happened('vertex signed', this.index, header.round, () => {
        const parents = header.parents.map(ref => `${ref.round}/${ref.author}:${ref.digest.slice(0, 4)}`).join(' ')
        return `round ${header.round} ${digest.slice(0, 8)} on ${parents}`
      })
      replica!.signed(signed)
    })
  }

  #alarm(text: string): void {
    if (this.liar === undefined) throw new Failure('alarm', `node ${this.index}: ${text}`)
  }

  #nextEpoch(): void {
    const { nextEpoch, lastCheckpoint } = this.ledger
    if (nextEpoch === undefined || !this.disk.image.certificates.has(lastCheckpoint!.sequence))
      throw new Failure('alarm', `node ${this.index}: the epoch ended without a certified boundary`)
    this.ledger.enterNextEpoch()
    const { epoch, validators } = this.ledger.epoch.committee
    this.#world.trace.happened(
      'epoch begun',
      this.index,
      epoch,
      () => `epoch ${epoch}: ${validators.map(({ name }) => name).join(' ')}`
    )
    this.#rebuild()
  }

  #rebuild(): void {
    this.#evidence.close()
    this.#journal!.settle()
    const waiting = this.replica!.pendingEvents()
    this.#build()
    for (const peer of this.#peers) this.replica!.peerConnected(String(peer), this.#validatorOf(peer))
    for (const event of waiting) this.replica!.submit([event])
    for (const peer of this.#peers) this.#greet(peer)
    this.#drain()
  }

  #validatorOf(peer: number): number | undefined {
    const place = this.ledger.epoch.committee.validators.findIndex(validator => validator.peerId === String(peer))
    return place === -1 ? undefined : place
  }

  #diskLatencyMs(): number {
    const { plan, diskRandom, trace } = this.#world
    const { usualMs, stallChance, stallMs } = plan.disks[this.index]!
    if (stallChance > 0 && diskRandom.chance(stallChance)) {
      trace.injected('disk stalled', this.index)
      return diskRandom.between(usualMs, stallMs)
    }
    return diskRandom.between(usualMs / 2, usualMs * 1.5)
  }

  #progress(): PeerProgress {
    const { image } = this.disk
    const progress = {
      ...this.replica!.progress(),
      certifiedCommitIndex: Math.max(this.certifiedCommitIndex, ...orderedCommits(image)),
      oldestCommitIndex: image.oldestCommitIndex,
      snapshotCommitIndex: image.snapshot?.checkpoint.commitIndex ?? 0
    }
    return this.liar?.progress(progress) ?? progress
  }

  /** A certificate that a peer showed, checked. */
  noteCertificate(certificate: CertifiedCheckpoint, checkpoint: Checkpoint): void {
    if (this.disk.image.certificates.has(certificate.sequence)) return
    this.#journal!.add({ kind: 'certificate', certificate, checkpoint })
    this.disk.image.certificates.set(certificate.sequence, { certificate, checkpoint })
  }

  /** Where the frontier is, for a peer that has just come or for all when an epoch begins. */
  #greet(peer: number): void {
    for (const tip of this.replica!.tips()) this.push(peer, tip)
    this.#sendProgress(peer)
  }

  #sendProgress(peer: number): void {
    const progress = this.#progress()
    this.#world.network.send(this.index, peer, node => node.replica!.peerProgress(String(this.index), progress))
  }

  #tellProgress(): void {
    if (this.replica === undefined) return
    const { nowMs } = this.#world.queue
    const news = `${this.ledger.epoch.committee.epoch} ${this.disk.image.certificates.size}`
    if (nowMs - this.#progressSentAtMs < (news === this.#progressSent ? quietProgressEveryMs : progressEveryMs)) return
    this.#progressSentAtMs = nowMs
    this.#progressSent = news
    for (const peer of this.#peers) this.#sendProgress(peer)
    this.#relays.choose(this.#peers)
  }
}

function orderedCommits({ orderCertificates }: DiskImage): number[] {
  return [...orderCertificates.values()].map(({ checkpoint }) => checkpoint.commitIndex)
}
