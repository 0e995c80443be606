import { type Commit, type CommitPoint, decodeCommit } from './core/commit.ts'
import type { EpochStart } from './core/committee.ts'
import type { PendingEvent } from './core/mempool.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import { genesisPoint, Replica } from './core/replica.ts'
import type { Restored } from './core/replica-types.ts'
import type { SignerFloor } from './core/signer-floor.ts'
import { slotHistoryCommits } from './core/slot-schedule.ts'
import type { Vertex } from './core/vertex.ts'
import type { ExecutionPort } from './execution-port.ts'
import type { VertexStore } from './vertex-store.ts'

export type RestoreInput = {
  readonly epoch: EpochStart
  readonly self: number | undefined
  /** Own place among the members of another epoch. */
  readonly selfIn: (epoch: number) => number | undefined
  readonly parameters: ConsensusParameters
  readonly genesisDigest: Uint8Array
  readonly genesisTimeMs: number
  readonly store: VertexStore
  /** Undefined when it is not known what the key has signed. */
  readonly floor: SignerFloor | undefined
  readonly execution: Pick<ExecutionPort, 'pendingEvents' | 'certifiedSequence' | 'certifiedCommitIndex'>
}

/** The replica of an epoch as it was when the last write reached the disk. */
export async function restoreReplica(input: RestoreInput): Promise<Replica> {
  const { store, parameters, epoch, execution } = input
  const last = await store.lastCommit()
  const point = last?.point ?? genesisPoint(input.genesisDigest, input.genesisTimeMs)
  const gcRound = Math.max(epoch.committee.baseRound - 1, point.round - parameters.gcDepthRounds)
  const recent = await recentCommits(input, point, gcRound)
  const committed = recent.flatMap(commit => commit.vertices.filter(ref => ref.round > gcRound))
  const isCommitted = new Set(committed.map(ref => ref.digest))
  const vertices: Vertex[] = []
  const ownEvents: Restored['ownEvents'][number][] = []
  const waitingEvents: PendingEvent[] = []
  for await (const vertex of store.rounds(Math.min(gcRound, point.round - parameters.gcDepthRounds) + 1)) {
    const { header } = vertex
    const isOfEpoch = header.epoch === epoch.committee.epoch
    if (isOfEpoch && header.round > gcRound) vertices.push(vertex)
    const self = isOfEpoch ? input.self : input.selfIn(header.epoch)
    if (header.author !== self || header.eventCount === 0 || isCommitted.has(vertex.digest)) continue
    for (const event of execution.pendingEvents(vertex)) {
      if (isOfEpoch) ownEvents.push({ event, round: header.round })
      else waitingEvents.push(event)
    }
  }
  return new Replica({
    epoch,
    self: input.self,
    parameters,
    context: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    isRecovering: input.floor === undefined,
    restored: {
      point,
      gcRound,
      committed,
      recentCommits: recent.slice(-slotHistoryCommits(parameters)),
      vertices,
      floorRound: floorRoundIn(epoch.committee.epoch, input.floor),
      ownEvents,
      waitingEvents,
      certifiedSequence: execution.certifiedSequence,
      certifiedCommitIndex: execution.certifiedCommitIndex
    }
  })
}

/** Commits down to the garbage-collection round, and as many as slots hang on; oldest first. */
async function recentCommits(
  { store, parameters }: RestoreInput,
  point: CommitPoint,
  gcRound: number
): Promise<Commit[]> {
  const commits: Commit[] = []
  for (let index = point.index; index > 0; index--) {
    const bytes = await store.commitBytes(index)
    if (bytes === undefined) break
    const commit = decodeCommit(bytes)
    if (commit.round <= gcRound && commits.length >= slotHistoryCommits(parameters)) break
    commits.push(commit)
  }
  return commits.reverse()
}

/** What was signed in another epoch says nothing of this one's rounds; of a later one, that this store is too old to sign. */
function floorRoundIn(epoch: number, floor: SignerFloor | undefined): number {
  if (floor === undefined || floor.epoch < epoch) return 0
  return floor.epoch === epoch ? floor.round : Number.MAX_SAFE_INTEGER
}
