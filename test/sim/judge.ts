import { type Committee, WeightCounter } from '../../src/consensus/core/committee.ts'
import type { ReplicaView } from '../../src/consensus/core/replica-types.ts'
import type { CertifiedCheckpoint } from '../../src/consensus/core/votes.ts'
import type { ConsensusParameters, Vertex } from '../../src/consensus/index.ts'
import { checkpointMessage, type Keyring, vertexMessage } from './keyring.ts'
import type { Checkpoint, Executed, Ledger } from './simulated-ledger.ts'

export type Verdict =
  | 'pass'
  | 'diverged'
  | 'ordered-twice'
  | 'no-progress'
  | 'event-lost'
  | 'signed-twice'
  | 'memory'
  | 'alarm'
  | 'evidence'
  | 'commit-time'
  | 'threw'

/** A rule of the quorum was broken. */
export class Failure extends Error {
  readonly verdict: Verdict

  constructor(verdict: Verdict, detail: string) {
    super(detail)
    this.verdict = verdict
  }
}

/** Sees every message and every commit, and knows who is honest. */
export class Judge {
  readonly agreed: { readonly digest: string; readonly stateHash: string }[] = []
  readonly #keyring: Keyring
  readonly #isHonest: (node: number) => boolean
  readonly #parameters: ConsensusParameters
  readonly #seen = new Set<string>()
  readonly #signedVertices = new Map<string, string>()
  readonly #signedCheckpoints = new Map<string, string>()
  readonly #committed = new Set<string>()
  readonly #certified = new Map<number, string>()
  #honestTimeMs = 0
  /** Most that any honest node held at any time. */
  readonly peaks = { vertices: 0, suspended: 0, wanted: 0, pendingEvents: 0 }

  constructor(input: { keyring: Keyring; isHonest: (node: number) => boolean; parameters: ConsensusParameters }) {
    this.#keyring = input.keyring
    this.#isHonest = input.isHonest
    this.#parameters = input.parameters
  }

  /** A vertex is on the wire. Keys are `node#version`; one key signs one vertex a round and one digest a checkpoint. */
  sawVertex(vertex: Vertex, key: string): void {
    if (this.#seen.has(vertex.digest)) return
    if (!this.#keyring.verify(key, vertexMessage(vertex.digest), vertex.signature)) return
    this.#seen.add(vertex.digest)
    if (!this.#isHonest(nodeOfKey(key))) return
    const { epoch, round, timestampMs, votes } = vertex.header
    this.#honestTimeMs = Math.max(this.#honestTimeMs, timestampMs)
    this.#once(this.#signedVertices, `${key} epoch ${epoch} round ${round}`, vertex.digest)
    for (const vote of votes) {
      if (!this.#keyring.verify(key, checkpointMessage(vote.digest), vote.signature))
        throw new Failure('signed-twice', `${key} sent a vote it did not sign`)
      this.#once(this.#signedCheckpoints, `${key} checkpoint ${vote.sequence}`, vote.digest)
    }
  }

  executed(node: number, executed: Executed, ledger: Ledger): void {
    const { commit, digest } = executed
    const agreed = this.agreed[commit.index - 1]
    const { stateHash } = ledger
    if (agreed !== undefined) {
      if (agreed.digest !== digest || agreed.stateHash !== stateHash)
        throw new Failure('diverged', `node ${node}: commit ${commit.index} is ${digest}, agreed was ${agreed.digest}`)
      return
    }
    if (commit.index !== this.agreed.length + 1)
      throw new Failure('diverged', `node ${node} skipped to commit ${commit.index} of ${this.agreed.length}`)
    for (const ref of commit.vertices) {
      if (this.#committed.has(ref.digest))
        throw new Failure('ordered-twice', `vertex ${ref.round}/${ref.author} again in commit ${commit.index}`)
      this.#committed.add(ref.digest)
    }
    if (commit.timestampMs > this.#honestTimeMs)
      throw new Failure('commit-time', `commit ${commit.index} at ${commit.timestampMs}, no honest clock was there`)
    this.agreed.push({ digest, stateHash })
  }

  /** Signatures of the full quorum, whatever it takes to order. */
  certified(node: number, { sequence, digest, votes }: CertifiedCheckpoint, committee: Committee): void {
    const weight = new WeightCounter(committee)
    for (const { author, signature } of votes) {
      if (!this.#keyring.verify(committee.validators[author]!.name, checkpointMessage(digest), signature))
        throw new Failure('diverged', `node ${node}: a false signature under checkpoint ${sequence}`)
      weight.add(author)
    }
    const before = this.#certified.get(sequence) ?? digest
    if (before !== digest || weight.weight < committee.quorumWeight)
      throw new Failure('diverged', `node ${node}: a second or too light certificate for checkpoint ${sequence}`)
    this.#certified.set(sequence, digest)
  }

  installed(node: number, checkpoint: Checkpoint): void {
    const agreed = this.agreed[checkpoint.commitIndex - 1]
    if (agreed?.stateHash !== checkpoint.stateHash)
      throw new Failure('diverged', `node ${node} installed a snapshot of nothing that was agreed`)
  }

  memory(node: number, view: ReplicaView, members: number, roundsOpen: number): void {
    const { vertices, suspended, wanted, pendingEvents } = view.memory
    this.peaks.vertices = Math.max(this.peaks.vertices, vertices)
    this.peaks.suspended = Math.max(this.peaks.suspended, suspended)
    this.peaks.wanted = Math.max(this.peaks.wanted, wanted)
    this.peaks.pendingEvents = Math.max(this.peaks.pendingEvents, pendingEvents)
    const { suspendedVerticesMax, verticesPerSlotMax, gcDepthRounds, mempoolEventsMax, roundsAheadMax } =
      this.#parameters
    const rounds = gcDepthRounds + roundsOpen + 2
    // Beside what may wait, what was asked for: of everybody, the rounds that are kept, or those up to what it has heard of.
    const asked = members * (Math.max(rounds, roundsAheadMax) + gcDepthRounds)
    const bounds = {
      vertices: verticesPerSlotMax * members * rounds,
      suspended: 2 * suspendedVerticesMax + asked,
      wanted: (2 * suspendedVerticesMax + asked) * members,
      pendingEvents: 2 * mempoolEventsMax
    }
    const over = (Object.keys(bounds) as (keyof typeof bounds)[]).find(what => view.memory[what] > bounds[what])
    if (over !== undefined)
      throw new Failure('memory', `node ${node} holds ${view.memory[over]} ${over}, bound ${bounds[over]}`)
  }

  #once(signed: Map<string, string>, slot: string, digest: string): void {
    const before = signed.get(slot)
    if (before !== undefined && before !== digest) throw new Failure('signed-twice', slot)
    signed.set(slot, digest)
  }
}

export function nodeOfKey(key: string): number {
  return Number(key.slice(0, key.indexOf('#')))
}
