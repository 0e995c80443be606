import type { CommitPoint } from '../../src/consensus/core/commit.ts'
import type { Restored } from '../../src/consensus/core/replica-types.ts'
import type { SignerFloor } from '../../src/consensus/core/signer-floor.ts'
import { slotHistoryCommits } from '../../src/consensus/core/slot-schedule.ts'
import type { ConsensusParameters, Vertex } from '../../src/consensus/index.ts'
import type { DiskImage } from './simulated-disk.ts'
import type { Executed, Ledger } from './simulated-ledger.ts'
import { eventIds } from './vertex-verdicts.ts'

export type RestoreInput = {
  readonly node: number
  readonly image: DiskImage
  readonly ledger: Ledger
  readonly floor: SignerFloor | undefined
  readonly parameters: ConsensusParameters
  readonly genesis: CommitPoint
}

/** What a replica starts from: the same reading of the store as src/consensus/restore.ts. */
export function restoredFrom(input: RestoreInput): Restored {
  const { image, ledger, parameters } = input
  const { committee } = ledger.epoch
  const last = image.commits.at(-1)
  const point: CommitPoint =
    last === undefined
      ? input.genesis
      : {
          index: last.commit.index,
          round: last.commit.round,
          digest: last.digest,
          timestampMs: last.commit.timestampMs
        }
  const gcRound = Math.max(committee.baseRound - 1, point.round - parameters.gcDepthRounds)
  const recent = recentCommits(image.commits, point.index, parameters)
  const committed = recent.flatMap(({ commit }) => commit.vertices.filter(ref => ref.round > gcRound))
  const isCommitted = new Set(committed.map(ref => ref.digest))
  const vertices: Vertex[] = []
  const ownEvents: Restored['ownEvents'][number][] = []
  const waitingEvents: Restored['waitingEvents'][number][] = []
  const oldest = Math.min(gcRound, point.round - parameters.gcDepthRounds)
  for (const vertex of image.vertices.values()) {
    const { header } = vertex
    if (header.round <= oldest) continue
    const isOfEpoch = header.epoch === committee.epoch
    if (isOfEpoch && header.round > gcRound) vertices.push(vertex)
    const author = ledger.epochs[header.epoch]?.committee.validators[header.author]?.peerId
    if (author !== String(input.node) || isCommitted.has(vertex.digest)) continue
    for (const id of eventIds(vertex)) {
      if (ledger.seen.has(id)) continue
      const event = { id, bytes: Buffer.from(id) }
      if (isOfEpoch) ownEvents.push({ event, round: header.round })
      else waitingEvents.push(event)
    }
  }
  const certifiedSequence = [...image.certificates.keys()]
    .filter(sequence => sequence <= (ledger.lastCheckpoint?.sequence ?? 0))
    .reduce((a, b) => Math.max(a, b), 0)
  return {
    point,
    gcRound,
    committed,
    recentCommits: recent.slice(-slotHistoryCommits(parameters)).map(({ commit }) => commit),
    vertices,
    floorRound: floorRoundIn(committee.epoch, input.floor),
    ownEvents,
    waitingEvents,
    certifiedSequence,
    certifiedCommitIndex:
      (image.certificates.get(certifiedSequence)?.checkpoint ?? image.checkpoints.get(certifiedSequence))
        ?.commitIndex ?? 0
  }
}

/** Down to the garbage-collection round of commit `upToIndex`, and as many as slots hang on; oldest first. */
export function recentCommits(
  commits: readonly Executed[],
  upToIndex: number,
  parameters: ConsensusParameters
): readonly Executed[] {
  const known = commits.filter(({ commit }) => commit.index <= upToIndex)
  const gcRound = (known.at(-1)?.commit.round ?? 0) - parameters.gcDepthRounds
  const first = known.findIndex(({ commit }) => commit.round > gcRound)
  return known.slice(Math.max(0, Math.min(first, known.length - slotHistoryCommits(parameters))))
}

function floorRoundIn(epoch: number, floor: SignerFloor | undefined): number {
  if (floor === undefined || floor.epoch < epoch) return 0
  return floor.epoch === epoch ? floor.round : Number.MAX_SAFE_INTEGER
}
