import { decodeCommit } from './core/commit.ts'
import type { Committee } from './core/committee.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import { genesisPoint, Replica } from './core/replica.ts'
import type { Vertex } from './core/vertex.ts'
import type { ExecutionPort } from './execution-port.ts'
import type { VertexStore } from './vertex-store.ts'

export type RestoreInput = {
  readonly committee: Committee
  readonly self: number | undefined
  readonly parameters: ConsensusParameters
  readonly genesisDigest: Uint8Array
  readonly genesisTimeMs: number
  readonly store: VertexStore
  readonly floorRound: number
  readonly certifiedSequence: number
  readonly execution: Pick<ExecutionPort, 'pendingEvents'>
}

/** The replica as it was when the last write reached the disk. */
export async function restoreReplica(input: RestoreInput): Promise<Replica> {
  const { store, parameters, floorRound, certifiedSequence, execution, ...rest } = input
  const last = await store.lastCommit()
  const point = last?.point ?? genesisPoint(input.genesisDigest, input.genesisTimeMs)
  const gcRound = Math.max(-1, point.round - parameters.gcDepthRounds)
  const committed: string[] = []
  for (let index = point.index; index > 0; index--) {
    const commit = decodeCommit((await store.commitBytes(index))!)
    if (commit.round <= gcRound) break
    for (const ref of commit.vertices) if (ref.round > gcRound) committed.push(ref.digest)
  }
  const vertices: Vertex[] = []
  for await (const vertex of store.rounds(gcRound + 1, Number.MAX_SAFE_INTEGER)) vertices.push(vertex)
  const isCommitted = new Set(committed)
  const own = vertices.filter(vertex => vertex.header.author === input.self && !isCommitted.has(vertex.digest))
  const ownEvents = own.flatMap(vertex =>
    execution.pendingEvents(vertex).map(event => ({ event, round: vertex.header.round }))
  )
  return new Replica({
    ...rest,
    parameters,
    context: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    restored: { point, gcRound, committed, vertices, floorRound, ownEvents, certifiedSequence }
  })
}
