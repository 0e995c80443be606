import { createHash } from 'node:crypto'
import { isCheckpointDue } from '../../src/consensus/core/checkpoint-cadence.ts'
import { type Commit, commitDigest } from '../../src/consensus/core/commit.ts'
import { genesisPoint, Replica } from '../../src/consensus/core/replica.ts'
import type { Effect, Restored } from '../../src/consensus/core/replica-types.ts'
import {
  emptyFloor,
  maySignCheckpoint,
  maySignVertex,
  type SignerFloor
} from '../../src/consensus/core/signer-floor.ts'
import { eventsOfBody } from '../../src/consensus/core/vertex.ts'
import type { CertifiedCheckpoint } from '../../src/consensus/core/votes.ts'
import type { Committee, ConsensusParameters, Vertex } from '../../src/consensus/index.ts'

export type Executed = { readonly commit: Commit; readonly bytes: Uint8Array; readonly digest: string }
type Checkpoint = {
  readonly sequence: number
  readonly digest: string
  readonly commitIndex: number
  readonly commitDigest: string
}

/** One write; the journal up to the last sync survives a crash, and any prefix beyond may. */
type Write = (disk: Disk) => void

export class Disk {
  readonly vertices = new Map<string, Vertex>()
  readonly commits: Executed[] = []
  readonly seen = new Set<string>()
  readonly log: string[] = []
  readonly checkpoints = new Map<number, Checkpoint>()
  readonly certificates = new Map<number, CertifiedCheckpoint>()
  stateHash = 'genesis'
  cadence = { commits: 0, events: 0, lastTimestampMs: 0 }
  checkpointSequence = 0
}

export type SimulatedWorld = {
  nowMs(): number
  wallMs(node: number): number
  after(delayMs: number, what: () => void): void
  send(from: number, to: number, deliver: (node: SimulatedNode) => void): void
  diskDelayMs(node: number): number
  onSigned(node: number, round: number, digest: string): void
  onExecuted(node: number, executed: Executed, stateHash: string): void
  onAlarm(node: number, text: string): void
}

/** A node of the simulation: the real replica, a disk that can lose its tail, and a signer floor that cannot. */
export class SimulatedNode {
  readonly index: number
  readonly disk = new Disk()
  readonly #world: SimulatedWorld
  readonly #committee: Committee
  readonly #parameters: ConsensusParameters
  readonly #genesisDigest: Uint8Array
  #journal: { write: Write; synced: boolean }[] = []
  #durable: Write[] = []
  #floor: SignerFloor = emptyFloor
  #replica: Replica | undefined
  #life = 0

  constructor(input: {
    index: number
    committee: Committee
    parameters: ConsensusParameters
    genesisDigest: Uint8Array
    world: SimulatedWorld
  }) {
    this.index = input.index
    this.#committee = input.committee
    this.#parameters = input.parameters
    this.#genesisDigest = input.genesisDigest
    this.#world = input.world
  }

  get isUp(): boolean {
    return this.#replica !== undefined
  }

  get replica(): Replica | undefined {
    return this.#replica
  }

  get isValidator(): boolean {
    return this.index < this.#committee.validators.length
  }

  start(): void {
    this.#life++
    const life = this.#life
    const restored = this.#restored()
    this.#replica = new Replica({
      committee: this.#committee,
      self: this.isValidator ? this.index : undefined,
      parameters: this.#parameters,
      context: { monotonicMs: () => this.#world.nowMs(), wallMs: () => this.#world.wallMs(this.index) },
      genesisDigest: this.#genesisDigest,
      genesisTimeMs: 0,
      ...(restored === undefined ? {} : { restored })
    })
    const last = this.disk.checkpoints.get(this.disk.checkpointSequence)
    this.#replica.executed(this.#replica.point.index, {
      ordered: [],
      eventsSinceCheckpoint: this.disk.cadence.events,
      ...(last === undefined || this.disk.certificates.has(last.sequence) ? {} : { checkpoint: this.#vote(last) })
    })
    this.#drain()
    const loop = (): void => {
      if (this.#life !== life || this.#replica === undefined) return
      this.#replica.tick()
      this.#drain()
      this.#world.after(this.#replica.tickWithinMs, loop)
    }
    loop()
  }

  /** Process death: what was not synced may be lost from the end. `keep` says how much of it stays. */
  crash(keep: (unsynced: number) => number): void {
    this.#replica = undefined
    this.#life++
    const firstUnsynced = this.#journal.findLastIndex(entry => entry.synced) + 1
    const kept = this.#journal.slice(0, firstUnsynced + keep(this.#journal.length - firstUnsynced))
    this.#durable.push(...kept.map(entry => entry.write))
    this.#journal = []
    Object.assign(this, { disk: new Disk() })
    for (const write of this.#durable) write(this.disk)
  }

  submit(id: string): boolean {
    const accepted = this.#replica?.submit([{ id, bytes: Buffer.from(id) }]) ?? false
    this.#drain()
    return accepted
  }

  with(what: (replica: Replica) => void): void {
    if (this.#replica === undefined) return
    what(this.#replica)
    this.#drain()
  }

  certifiedCommitIndex(): number {
    let best = 0
    for (const sequence of this.disk.certificates.keys())
      best = Math.max(best, this.disk.checkpoints.get(sequence)?.commitIndex ?? 0)
    return best
  }

  #restored(): Restored | undefined {
    if (this.disk.commits.length === 0 && this.disk.vertices.size === 0) {
      return this.#floor.round === 0 ? undefined : { ...this.#nothing(), floorRound: this.#floor.round }
    }
    const last = this.disk.commits.at(-1)
    const point =
      last === undefined
        ? this.#nothing().point
        : {
            index: last.commit.index,
            round: last.commit.round,
            digest: last.digest,
            timestampMs: last.commit.timestampMs
          }
    const gcRound = Math.max(-1, point.round - this.#parameters.gcDepthRounds)
    const committed = this.disk.commits
      .filter(entry => entry.commit.round > gcRound)
      .flatMap(entry => entry.commit.vertices.filter(ref => ref.round > gcRound).map(ref => ref.digest))
    return {
      point,
      gcRound,
      committed,
      vertices: [...this.disk.vertices.values()].filter(vertex => vertex.header.round > gcRound),
      floorRound: this.#floor.round,
      ownEvents: this.#ownEvents(new Set(committed)),
      certifiedSequence: Math.max(0, ...this.disk.certificates.keys())
    }
  }

  #ownEvents(committed: ReadonlySet<string>): Restored['ownEvents'] {
    const own = [...this.disk.vertices.values()].filter(
      vertex => vertex.header.author === this.index && !committed.has(vertex.digest)
    )
    return own.flatMap(({ body, header }) =>
      eventsOfBody(body).map(bytes => ({ event: { id: Buffer.from(bytes).toString(), bytes }, round: header.round }))
    )
  }

  #nothing(): Restored {
    return {
      point: genesisPoint(this.#genesisDigest, 0),
      gcRound: -1,
      committed: [],
      vertices: [],
      floorRound: 0,
      ownEvents: [],
      certifiedSequence: 0
    }
  }

  #write(write: Write, synced: boolean): void {
    write(this.disk)
    this.#journal.push({ write, synced })
  }

  #drain(): void {
    for (
      let effects = this.#replica?.takeEffects() ?? [];
      effects.length > 0;
      effects = this.#replica?.takeEffects() ?? []
    ) {
      for (const effect of effects) this.#perform(effect)
    }
  }

  #perform(effect: Effect): void {
    if (effect.kind === 'store')
      this.#write(disk => {
        for (const vertex of effect.vertices) disk.vertices.set(vertex.digest, vertex)
      }, false)
    if (effect.kind === 'sign') this.#sign(effect)
    if (effect.kind === 'broadcast')
      for (const peer of this.peers)
        this.#world.send(this.index, peer, node =>
          node.with(replica => replica.receive(String(this.index), [effect.vertex]))
        )
    if (effect.kind === 'commit') this.#execute(effect)
    if (effect.kind === 'certified')
      this.#write(disk => disk.certificates.set(effect.certificate.sequence, effect.certificate), false)
    if (effect.kind === 'diverged')
      this.#world.onAlarm(this.index, `checkpoint ${effect.sequence}: ${effect.ours} here, ${effect.theirs} there`)
    if (effect.kind === 'fetchVertices') this.#fetchVertices(effect)
    if (effect.kind === 'fetchCommits') this.#fetchCommits(effect)
  }

  peers: number[] = []

  #sign(effect: Extract<Effect, { kind: 'sign' }>): void {
    const life = this.#life
    const vertex: Vertex = {
      digest: effect.digest,
      header: effect.header,
      headerBytes: effect.headerBytes,
      signature: new Uint8Array(64),
      body: effect.body
    }
    this.#world.after(this.#world.diskDelayMs(this.index), () => {
      if (this.#life !== life) return
      const verdict = maySignVertex(this.#floor, { epoch: 0, round: effect.header.round, digest: effect.digest })
      if (!verdict.allowed) return this.with(replica => replica.signed(undefined))
      this.#write(disk => disk.vertices.set(vertex.digest, vertex), true)
      this.#world.after(this.#world.diskDelayMs(this.index), () => {
        if (this.#life !== life) return
        this.#floor = verdict.floor
        this.#world.onSigned(this.index, effect.header.round, effect.digest)
        this.with(replica => replica.signed(vertex))
      })
    })
  }

  #vote(checkpoint: Checkpoint): {
    sequence: number
    digest: string
    vote?: { sequence: number; digest: string; signature: Uint8Array }
  } {
    const { sequence, digest } = checkpoint
    if (!this.isValidator) return { sequence, digest }
    const verdict = maySignCheckpoint(this.#floor, { sequence, digest })
    if (!verdict.allowed) return { sequence, digest }
    this.#floor = verdict.floor
    return { sequence, digest, vote: { sequence, digest, signature: new Uint8Array(64) } }
  }

  #execute(effect: Extract<Effect, { kind: 'commit' }>): void {
    const { commit } = effect
    const ids = effect.vertices.flatMap(vertex => eventsOfBody(vertex.body).map(bytes => Buffer.from(bytes).toString()))
    this.#write(disk => {
      const fresh = ids.filter(id => !disk.seen.has(id))
      for (const id of fresh) disk.seen.add(id)
      disk.log.push(...fresh)
      disk.stateHash = createHash('sha256').update(disk.stateHash).update(fresh.join()).digest('hex')
      disk.commits.push({ commit, bytes: effect.commitBytes, digest: effect.digest })
      disk.cadence = {
        commits: disk.cadence.commits + 1,
        events: disk.cadence.events + fresh.length,
        lastTimestampMs: disk.cadence.lastTimestampMs
      }
      if (!isCheckpointDue(disk.cadence, commit.timestampMs, this.#parameters)) return
      const sequence = ++disk.checkpointSequence
      const digest = createHash('sha256').update(`${sequence} ${disk.stateHash} ${effect.digest}`).digest('hex')
      disk.checkpoints.set(sequence, { sequence, digest, commitIndex: commit.index, commitDigest: effect.digest })
      disk.cadence = { commits: 0, events: 0, lastTimestampMs: commit.timestampMs }
    }, false)
    this.#world.onExecuted(
      this.index,
      { commit, bytes: effect.commitBytes, digest: effect.digest },
      this.disk.stateHash
    )
    const checkpoint = this.disk.checkpoints.get(this.disk.checkpointSequence)
    const made = checkpoint?.commitIndex === commit.index ? checkpoint : undefined
    const life = this.#life
    this.#world.after(this.#world.diskDelayMs(this.index), () => {
      if (this.#life !== life) return
      if (made !== undefined) this.#write(() => {}, true)
      this.with(replica =>
        replica.executed(commit.index, {
          ordered: ids,
          eventsSinceCheckpoint: this.disk.cadence.events,
          ...(made === undefined ? {} : { checkpoint: this.#vote(made) })
        })
      )
    })
  }

  #fetchVertices(effect: Extract<Effect, { kind: 'fetchVertices' }>): void {
    const life = this.#life
    let isDone = false
    const finish = (vertices: Vertex[]): void => {
      if (isDone || this.#life !== life) return
      isDone = true
      this.with(replica => {
        replica.receive(effect.peer, vertices)
        replica.fetchEnded(effect.peer, effect.digests)
      })
    }
    this.#world.send(this.index, Number(effect.peer), node => {
      const known = effect.digests.map(digest => node.disk.vertices.get(digest)).filter(vertex => vertex !== undefined)
      const more = node.replica?.ancestors(effect.digests, effect.aboveRound, 64) ?? []
      this.#world.send(node.index, this.index, () => finish([...new Set([...more.reverse(), ...known])]))
    })
    this.#world.after(this.#parameters.fetchTimeoutMs, () => finish([]))
  }

  #fetchCommits(effect: Extract<Effect, { kind: 'fetchCommits' }>): void {
    const life = this.#life
    this.#world.send(this.index, Number(effect.peer), node => {
      const sequence = [...node.disk.certificates.keys()]
        .filter(one => (node.disk.checkpoints.get(one)?.commitIndex ?? 0) >= effect.fromIndex)
        .sort((a, b) => a - b)[0]
      const checkpoint = sequence === undefined ? undefined : node.disk.checkpoints.get(sequence)
      const certificate = sequence === undefined ? undefined : node.disk.certificates.get(sequence)
      if (checkpoint === undefined || certificate === undefined) return
      const commits = node.disk.commits.slice(effect.fromIndex - 1, checkpoint.commitIndex).map(entry => entry.bytes)
      this.#world.send(node.index, this.index, () => {
        if (this.#life !== life) return
        this.#write(disk => disk.certificates.set(checkpoint.sequence, certificate), false)
        this.with(replica => replica.commitsReceived({ commits, certificate: checkpoint }))
      })
    })
  }

  /** A commit found by hashing its own bytes again: the journal holds what was agreed. */
  verifyCommits(): boolean {
    return this.disk.commits.every(
      (entry, place) => entry.commit.index === place + 1 && commitDigest(entry.bytes) === entry.digest
    )
  }
}
