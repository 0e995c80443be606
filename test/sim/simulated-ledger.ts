import { createHash } from 'node:crypto'
import { type CheckpointCadence, isCheckpointDue } from '../../src/consensus/core/checkpoint-cadence.ts'
import type { Commit } from '../../src/consensus/core/commit.ts'
import { createCommittee, type EpochStart } from '../../src/consensus/core/committee.ts'
import type { ConsensusParameters } from '../../src/consensus/index.ts'

export type Member = { readonly node: number; readonly key: string; readonly weight: number }
export type Executed = {
  readonly commit: Commit
  readonly bytes: Uint8Array
  readonly digest: string
  readonly ids: readonly string[]
}
export type Checkpoint = {
  readonly sequence: number
  readonly digest: string
  readonly commitIndex: number
  readonly commitDigest: string
  readonly epoch: number
  readonly stateHash: string
  /** Of the checkpoint that ends an epoch: the members of the next. */
  readonly nextMembers: readonly Member[] | undefined
}
export type LedgerRules = {
  readonly genesis: EpochStart
  readonly parameters: ConsensusParameters
  readonly degraded: 'none' | 'crash'
  /** Whether the run's assumption on how many may be faulty would still hold. */
  readonly isAllowed: (members: readonly Member[]) => boolean
}

/**
 * What execution means here: events once each, those of an author with a clock in its order, changes of the set of
 * members, checkpoints. Every node that executes the same commits holds the same.
 */
export class Ledger {
  readonly log: string[] = []
  readonly seen = new Set<string>()
  readonly epochs: EpochStart[]
  stateHash = 'genesis'
  lastCommit: Commit | undefined
  lastCheckpoint: Checkpoint | undefined
  /** The epoch that begins once the last checkpoint is certified. */
  nextEpoch: EpochStart | undefined
  /** The newest commit that brought an event. */
  lastEventCommitIndex = 0
  epochClosesAt: number | undefined
  readonly #rules: LedgerRules
  readonly #clocks = new Map<string, number>()
  #cadence: CheckpointCadence = { commits: 0, events: 0, lastTimestampMs: 0 }
  #changes: string[] = []

  constructor(rules: LedgerRules) {
    this.#rules = rules
    this.epochs = [rules.genesis]
  }

  get epoch(): EpochStart {
    return this.epochs.at(-1)!
  }

  get eventsSinceCheckpoint(): number {
    return this.#cadence.events
  }

  clone(): Ledger {
    const copy = new Ledger(this.#rules)
    copy.log.push(...this.log)
    for (const id of this.seen) copy.seen.add(id)
    copy.epochs.push(...this.epochs.slice(1))
    for (const [author, clock] of this.#clocks) copy.#clocks.set(author, clock)
    copy.#cadence = this.#cadence
    copy.#changes = [...this.#changes]
    const { stateHash, lastCommit, lastCheckpoint, nextEpoch, epochClosesAt, lastEventCommitIndex } = this
    return Object.assign(copy, {
      stateHash,
      lastCommit,
      lastCheckpoint,
      nextEpoch,
      epochClosesAt,
      lastEventCommitIndex
    })
  }

  /** The checkpoint that ended the epoch is certified. */
  enterNextEpoch(): void {
    this.epochs.push(this.nextEpoch!)
    this.nextEpoch = undefined
    this.epochClosesAt = undefined
  }

  execute(executed: Executed): {
    ordered: readonly string[]
    early: readonly string[]
    checkpoint: Checkpoint | undefined
  } {
    const { commit, digest, ids } = executed
    if (commit.index !== (this.lastCommit?.index ?? 0) + 1) throw new Error(`commit ${commit.index} is not the next`)
    const ordered: string[] = []
    const early: string[] = []
    const fresh: string[] = []
    for (const id of ids) {
      const place = this.#place(id)
      if (place === 'early') early.push(id)
      else ordered.push(id)
      if (place === 'next') this.#take(id, fresh)
    }
    this.lastCommit = commit
    if (fresh.length > 0) this.lastEventCommitIndex = commit.index
    this.stateHash = hashOf(`${this.stateHash} ${commit.timestampMs} ${fresh.join()}`)
    this.#cadence = {
      ...this.#cadence,
      commits: this.#cadence.commits + 1,
      events: this.#cadence.events + fresh.length
    }
    const isBoundary = commit.index === this.epochClosesAt
    if (!isBoundary && !isCheckpointDue(this.#cadence, commit.timestampMs, this.#rules.parameters))
      return { ordered, early, checkpoint: undefined }
    return { ordered, early, checkpoint: this.#checkpoint(commit, digest, isBoundary) }
  }

  #place(id: string): 'next' | 'done' | 'early' {
    if (this.seen.has(id)) return 'done'
    const { author, clock } = clockOf(id)
    if (clock === undefined) return 'next'
    const next = this.#clocks.get(author) ?? 1
    return clock === next ? 'next' : clock < next ? 'done' : 'early'
  }

  #take(id: string, fresh: string[]): void {
    const { author, clock } = clockOf(id)
    if (clock !== undefined) this.#clocks.set(author, clock + 1)
    this.seen.add(id)
    this.log.push(id)
    fresh.push(id)
    if (id.startsWith('set ')) this.#changes.push(id)
  }

  #checkpoint(commit: Commit, commitDigest: string, isBoundary: boolean): Checkpoint {
    const sequence = (this.lastCheckpoint?.sequence ?? 0) + 1
    const nextMembers = isBoundary ? this.#nextMembers() : undefined
    const { epoch } = this.epoch.committee
    const fields = { sequence, commitIndex: commit.index, commitDigest, epoch, stateHash: this.stateHash, nextMembers }
    const checkpoint = { ...fields, digest: digestOfCheckpoint(fields) }
    this.lastCheckpoint = checkpoint
    this.#cadence = { commits: 0, events: 0, lastTimestampMs: commit.timestampMs }
    if (nextMembers !== undefined) {
      this.#changes = []
      this.nextEpoch = {
        committee: committeeOf(epoch + 1, nextMembers, commit.round, this.#rules.degraded),
        digest: Buffer.from(checkpoint.digest, 'hex'),
        timestampMs: commit.timestampMs
      }
    } else if (
      this.epochClosesAt === undefined &&
      this.#changes.length > 0 &&
      commit.timestampMs - this.epoch.timestampMs >= this.#rules.parameters.epochMs
    ) {
      this.epochClosesAt = commit.index + this.#rules.parameters.epochNoticeCommits
    }
    return checkpoint
  }

  #nextMembers(): Member[] {
    let members: Member[] = this.epoch.committee.validators.map(validator => ({
      node: Number(validator.peerId),
      key: validator.name,
      weight: validator.weight
    }))
    for (const change of this.#changes) {
      const [, what, number] = change.split(' ')
      const node = Number(number)
      const place = members.findIndex(member => member.node === node)
      const key = `${node}#${this.epoch.committee.epoch + 1}`
      const next =
        what === 'join' && place === -1
          ? [...members, { node, key, weight: 1 }]
          : what === 'leave' && place !== -1
            ? members.filter(member => member.node !== node)
            : what === 'rotate' && place !== -1
              ? members.map(member => (member.node === node ? { ...member, key } : member))
              : members
      if (this.#rules.isAllowed(next)) members = next
    }
    return members
  }
}

export function committeeOf(
  epoch: number,
  members: readonly Member[],
  baseRound: number,
  degraded: 'none' | 'crash'
): EpochStart['committee'] {
  const validators = members.map(({ node, key, weight }) => ({
    name: key,
    publicKey: Buffer.from(key),
    peerId: String(node),
    origin: '',
    region: '',
    weight
  }))
  return createCommittee(epoch, validators, { baseRound, degraded })
}

export function digestOfCheckpoint(fields: Omit<Checkpoint, 'digest'>): string {
  const { sequence, commitIndex, commitDigest, epoch, stateHash, nextMembers } = fields
  return hashOf(JSON.stringify([sequence, commitIndex, commitDigest, epoch, stateHash, nextMembers ?? null]))
}

/** `author.clock` for events that must keep their author's order; anything else stands alone. */
function clockOf(id: string): { author: string; clock: number | undefined } {
  const dot = id.indexOf('.')
  return dot === -1 ? { author: id, clock: undefined } : { author: id.slice(0, dot), clock: Number(id.slice(dot + 1)) }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
