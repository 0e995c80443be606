import type { PeerProgress } from '../../src/consensus/core/peer-table.ts'
import type { Witness } from '../../src/consensus/core/recovery.ts'
import {
  type CheckpointVote,
  refOf,
  type VertexHeader,
  type VertexRef,
  votesPerVertexMax
} from '../../src/consensus/core/vertex.ts'
import type { Vertex } from '../../src/consensus/index.ts'
import type { Conspiracy } from './conspiracy.ts'
import { checkpointMessage } from './keyring.ts'
import type { Strategy } from './liar-strategies.ts'
import { LiarVertices } from './liar-vertices.ts'
import type { LiarPlan } from './plan.ts'
import type { Random } from './random.ts'
import type { Snapshot } from './simulated-disk.ts'
import type { CommitsAnswer } from './simulated-exchange.ts'
import type { Checkpoint } from './simulated-ledger.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { World } from './world.ts'

type Served<Answer> = { readonly answer: Answer | undefined; readonly delayMs: number } | undefined

const actEveryMs = 100
const floodVertices = 6

/**
 * A member that follows by the real replica, so that it knows what is going on, and lies at every point where it speaks: in
 * what it signs, in whom it sends it to, in what it answers, and unasked. It holds no key but its own.
 */
export class Liar {
  readonly #node: SimulatedNode
  readonly #world: World
  readonly #random: Random
  readonly #does: ReadonlySet<string>
  readonly #zeal: number
  readonly #conspiracy: Conspiracy
  #made: { readonly key: string; readonly vertices: LiarVertices } | undefined
  readonly #votes: CheckpointVote[] = []
  #epoch = 0
  #lastRound = 0
  readonly #lastRoundOf = [0, 0]

  constructor(input: { node: SimulatedNode; world: World; random: Random; plan: LiarPlan; conspiracy: Conspiracy }) {
    this.#node = input.node
    this.#world = input.world
    this.#random = input.random
    this.#does = new Set(input.plan.strategies)
    this.#zeal = input.plan.zeal
    this.#conspiracy = input.conspiracy
    this.#actAgain()
    this.#proposeAgain()
  }

  /** Passes nothing on to those that rely on it. */
  get isHiding(): boolean {
    return this.#does.has('stayAway') || this.#does.has('noAnswers')
  }

  /** A checkpoint was executed: its vote goes into the next vertex. */
  executed(checkpoint: Checkpoint): void {
    const { sequence, digest } = checkpoint
    const signature = this.#world.keyring.sign(this.#node.key!, checkpointMessage(digest))
    this.#votes.push({ sequence, digest, signature })
  }

  /** Goes along with the rounds of the others, in its own way. */
  #propose(): void {
    const { replica, ledger } = this.#node
    const { epoch, round: quorumRound } = replica!.progress()
    if (epoch !== this.#epoch) {
      this.#epoch = epoch
      this.#lastRound = ledger.epoch.committee.baseRound
      this.#lastRoundOf.fill(this.#lastRound)
      this.#votes.length = 0
    }
    if (this.#does.has('splitBrain') && this.#conspiracy.splitUntilMs > this.#world.queue.nowMs) {
      for (const half of [0, 1]) this.#proposeToHalf(half, epoch, quorumRound)
      return
    }
    const round = quorumRound + 1
    if (round <= this.#lastRound) return
    const tips = replica!.tips()
    const isAskedFor = this.#votes.length > 0 || tips.some(tip => tip.header.round >= round)
    if (!isAskedFor && !this.#wants('restless')) return
    this.#lastRound = round
    const parents = this.#parents(tips, round)
    if (this.#weightBelow(parents, round) < ledger.epoch.committee.orderingWeight) return
    const vertex = this.#bend({
      epoch,
      round,
      author: this.#node.self!,
      timestampMs: Math.floor(this.#world.wallMs(this.#node.index)),
      parents,
      eventCount: 0,
      bodyDigest: '',
      votes: this.#votes.splice(0, votesPerVertexMax)
    })
    const count = this.#wants('manyTwins') ? this.#random.integer(2, 8) : this.#wants('twins') ? 1 : 0
    const twins = Array.from({ length: count }, () => this.#vertices.twin(vertex))
    replica!.receive(undefined, this.#random.some([vertex, ...twins], 0.8))
    this.#spread(vertex, twins)
  }

  #parents(tips: readonly Vertex[], round: number): VertexRef[] {
    const known = this.#node.replica!.ancestors(
      tips.map(tip => tip.digest),
      this.#node.replica!.gcRound,
      256
    )
    const newest = new Map<number, Vertex>()
    for (const vertex of known) {
      const { author } = vertex.header
      const before = newest.get(author)?.header.round ?? -1
      if (vertex.header.round < round && vertex.header.round > before) newest.set(author, vertex)
    }
    const own = newest.get(this.#node.self!)
    newest.delete(this.#node.self!)
    return [...(own === undefined ? [] : [own]), ...newest.values()].map(refOf)
  }

  /** To each half a life of its own: vertices on those of this half and on what the other liars signed for it. */
  #proposeToHalf(half: number, epoch: number, quorumRound: number): void {
    const { replica, ledger, self } = this.#node
    const { validators, orderingWeight, baseRound } = ledger.epoch.committee
    const known = replica!.ancestors(
      replica!.tips().map(tip => tip.digest),
      replica!.gcRound,
      256
    )
    const parentsOf = (round: number): VertexRef[] =>
      validators
        .map((_, author) => author)
        .sort((a, b) => Number(b === self) - Number(a === self))
        .map(author => {
          const made = this.#conspiracy.newest(half, epoch, author, round)
          if (made !== undefined) return made
          const isTheirs = this.#conspiracy.halfOf(Number(validators[author]!.peerId)) === half
          return known
            .filter(({ header }) => header.author === author && header.round < round)
            .filter(({ header }) => isTheirs || author === self || header.round === baseRound)
            .reduce<Vertex | undefined>(
              (a, b) => (a !== undefined && a.header.round >= b.header.round ? a : b),
              undefined
            )
        })
        .filter(vertex => vertex !== undefined)
        .map(refOf)
    for (
      let round = quorumRound + 2;
      round > Math.max(this.#lastRoundOf[half]!, quorumRound - 12, baseRound);
      round--
    ) {
      const parents = parentsOf(round)
      if (this.#weightBelow(parents, round) < orderingWeight) continue
      this.#lastRoundOf[half] = round
      this.#lastRound = Math.max(this.#lastRound, round)
      const timestampMs = Math.floor(this.#world.wallMs(this.#node.index)) + half
      const header = { epoch, round, author: self!, timestampMs, parents, eventCount: 0, bodyDigest: '', votes: [] }
      const vertex = this.#vertices.make(header, new Uint8Array(0))
      this.#world.trace.injected('liar: splitBrain', this.#node.index, half)
      this.#conspiracy.note(half, vertex)
      replica!.receive(undefined, [vertex])
      this.#node.broadcast(vertex, peer => this.#conspiracy.halfOf(peer) === half)
      return
    }
  }

  /** What an honest member would sign, or something like it. */
  #bend(honest: VertexHeader): Vertex {
    const make = this.#vertices
    let header = honest
    let body: Uint8Array = new Uint8Array(0)
    if (this.#wants('withholdReferences')) {
      const kept = header.parents.filter(({ author }, place) => place === 0 || !this.#isVictim(author))
      if (this.#weightBelow(kept, header.round) >= this.#node.ledger.epoch.committee.orderingWeight)
        header = { ...header, parents: kept }
    }
    if (this.#wants('weakReferences')) header = { ...header, parents: this.#justEnough(header.parents, header.round) }
    if (this.#wants('wrongVotes')) header = { ...header, votes: [make.wrongVote(header)] }
    if (this.#wants('wrongTime'))
      header = { ...header, timestampMs: this.#random.pick([0, 1, header.timestampMs * 2, 2 ** 50]) }
    if (this.#wants('copiedEvents')) body = make.eventsLike(this.#node.replica!.tips())
    return make.make(header, body)
  }

  /** Shows vertices of its own to whom it likes. */
  #spread(vertex: Vertex, twins: readonly Vertex[]): void {
    if (this.#wants('stayAway')) return
    const [twin] = twins
    const delayMs = this.#wants('sendLate') ? this.#random.integer(50, 3000) : 0
    const some = this.#wants('sendToSome') ? this.#random.between(0.2, 0.9) : 1
    const chosen = new Set(this.#random.some([...this.#node.peers], some))
    const isFirstHalf = (peer: number): boolean => this.#conspiracy.firstHalf.has(peer)
    this.#node.later(delayMs, () => {
      if (twin === undefined) return this.#node.broadcast(vertex, peer => chosen.has(peer))
      if (twins.length > 1)
        return this.#node.broadcast(vertex, peer => {
          this.#node.push(peer, this.#random.pick(twins))
          return this.#random.chance(0.5)
        })
      this.#node.broadcast(vertex, peer => isFirstHalf(peer) && chosen.has(peer))
      this.#node.broadcast(twin, peer => !isFirstHalf(peer) && chosen.has(peer))
    })
  }

  answerVertices(answer: readonly Vertex[]): Served<readonly Vertex[]> {
    if (this.#wants('noAnswers')) return this.#random.chance(0.5) ? undefined : { answer: [], delayMs: 0 }
    const delayMs = this.#wants('lateAnswers') ? this.#random.integer(100, 4000) : 0
    if (!this.#wants('wrongAnswers')) return { answer, delayMs }
    const others = this.#random.some([...this.#node.disk.image.vertices.values()], 0.1)
    return { answer: [...this.#random.some(answer, 0.3), ...others, ...this.#bad(this.#random.integer(0, 1))], delayMs }
  }

  answerCommits(answer: CommitsAnswer | undefined): Served<CommitsAnswer> {
    if (this.#wants('noAnswers')) return undefined
    if (answer === undefined || !this.#wants('wrongCommits')) return { answer, delayMs: 0 }
    const { commits, checkpoint, certificate } = answer
    const how = this.#random.integer(0, 4)
    if (how === 0) return { answer: { ...answer, commits: commits.slice(1) }, delayMs: 0 }
    if (how === 1) return { answer: { ...answer, commits: commits.map(bytes => bytes.subarray(2)) }, delayMs: 0 }
    if (how === 2) return { answer: { ...answer, commits: [...commits].reverse() }, delayMs: 0 }
    if (how === 3)
      return {
        answer: { ...answer, certificate: { ...certificate, votes: certificate.votes.slice(0, 1) } },
        delayMs: 0
      }
    return { answer: { ...answer, checkpoint: { ...checkpoint, commitIndex: checkpoint.commitIndex + 1 } }, delayMs: 0 }
  }

  answerSnapshot(answer: Snapshot | undefined): Served<Snapshot> {
    if (this.#wants('noAnswers')) return undefined
    if (answer === undefined || !this.#wants('forgedSnapshot')) return { answer, delayMs: 0 }
    return { answer: { ...answer, isForged: true }, delayMs: this.#random.integer(0, 3000) }
  }

  answerWitness(answer: Witness & { epoch: number }): Served<Witness & { epoch: number }> {
    if (this.#wants('noAnswers')) return undefined
    if (!this.#wants('lyingWitness')) return { answer, delayMs: 0 }
    const lie = this.#random.pick([0, 1_000_000, answer.ownRound + 3])
    return { answer: { ...answer, seenRound: lie, ownRound: lie }, delayMs: 0 }
  }

  progress(progress: PeerProgress): PeerProgress {
    if (!this.#wants('lyingProgress')) return progress
    const { certifiedCommitIndex, round, commitIndex, epoch } = progress
    return this.#random.pick([
      {
        ...progress,
        round: round + 10_000,
        commitIndex: commitIndex + 10_000,
        certifiedCommitIndex: certifiedCommitIndex + 10_000
      },
      { ...progress, epoch: epoch + 5, certifiedCommitIndex: certifiedCommitIndex + 50 },
      {
        ...progress,
        snapshotCommitIndex: certifiedCommitIndex + 5000,
        certifiedCommitIndex: certifiedCommitIndex + 9000,
        round: round + 900
      },
      { ...progress, oldestCommitIndex: certifiedCommitIndex + 1, round: round + 500 },
      { ...progress, round: 0, commitIndex: 0, certifiedCommitIndex: 0 }
    ])
  }

  #proposeAgain(): void {
    const { minimumRoundDelayMs } = this.#world.parameters
    this.#world.queue.after(this.#random.between(minimumRoundDelayMs, 3 * minimumRoundDelayMs), () => {
      if (this.#node.isReachable && this.#node.self !== undefined) this.#node.take(() => this.#propose())
      this.#proposeAgain()
    })
  }

  /** Speaks unasked, again and again. */
  #actAgain(): void {
    this.#world.queue.after(this.#random.between(actEveryMs / 2, actEveryMs * 3), () => {
      if (this.#node.isReachable && this.#node.self !== undefined) this.#node.take(() => this.#act())
      this.#actAgain()
    })
  }

  #act(): void {
    for (const vertex of this.#bad(1)) this.#node.broadcast(vertex, () => this.#random.chance(0.7))
    if (this.#wants('flood')) for (const vertex of this.#bad(floodVertices, true)) this.#node.broadcast(vertex)
    const stored = this.#node.disk.image.vertices
    if (stored.size > 0 && this.#wants('replayOld'))
      for (const vertex of this.#random.some([...stored.values()].slice(-100), 0.1)) this.#node.broadcast(vertex)
  }

  /** Vertices that do harm if they are believed. */
  #bad(count: number, isFlood = false): Vertex[] {
    const header = this.#node.replica!.tips().find(vertex => vertex.header.author === this.#node.self)?.header
    if (header === undefined) return []
    const make = this.#vertices
    const makers: [Strategy, () => Vertex][] = [
      ['farFuture', () => make.unknownParents(header, header.round + this.#random.pick([2, 15, 30, 100_000]))],
      ['unknownParents', () => make.unknownParents(header, header.round + this.#random.integer(0, 2))],
      ['misnamedParents', () => make.misnamedParents(header)],
      [
        'otherEpoch',
        () =>
          make.make({ ...header, epoch: Math.max(0, header.epoch + this.#random.pick([1, -1, 7])) }, new Uint8Array(0))
      ],
      ['tooFewParents', () => make.make({ ...header, parents: header.parents.slice(0, 1) }, new Uint8Array(0))],
      ['malformed', () => make.malformed(header)],
      ['forgedSignature', () => make.forged(header, this.#random.integer(0, header.parents.length))]
    ]
    const chosen = makers.filter(([strategy]) => this.#wants(strategy))
    const flood: [Strategy, () => Vertex][] = [
      ['flood', () => make.unknownParents(header, Math.max(2, header.round + this.#random.integer(-4, 25)))],
      ['flood', () => make.twin(make.make(header, new Uint8Array(0)))]
    ]
    return Array.from({ length: count }, () => (isFlood ? flood : chosen))
      .filter(list => list.length > 0)
      .map(list => this.#random.pick(list)[1]())
  }

  #justEnough(parents: readonly VertexRef[], round: number): readonly VertexRef[] {
    const kept = [...parents]
    for (const parent of this.#random.shuffled(parents.slice(1))) {
      const without = kept.filter(other => other !== parent)
      if (this.#weightBelow(without, round) >= this.#node.ledger.epoch.committee.orderingWeight)
        kept.splice(kept.indexOf(parent), 1)
    }
    return kept
  }

  #weightBelow(parents: readonly VertexRef[], round: number): number {
    const { validators } = this.#node.ledger.epoch.committee
    return parents
      .filter(parent => parent.round === round - 1)
      .reduce((weight, parent) => weight + validators[parent.author]!.weight, 0)
  }

  #isVictim(author: number): boolean {
    const peer = this.#node.ledger.epoch.committee.validators[author]?.peerId
    return this.#conspiracy.victims.has(Number(peer))
  }

  #wants(strategy: Strategy): boolean {
    if (!this.#does.has(strategy) || !this.#random.chance(this.#zeal)) return false
    this.#world.trace.injected(`liar: ${strategy}`, this.#node.index)
    return true
  }

  get #vertices(): LiarVertices {
    const key = this.#node.key!
    if (this.#made?.key !== key)
      this.#made = { key, vertices: new LiarVertices(this.#random, this.#world.keyring, key) }
    return this.#made.vertices
  }
}
