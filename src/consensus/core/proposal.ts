import { bytesToHex, sha256 } from '../../codec/index.ts'
import type { Committee } from './committee.ts'
import type { Graph } from './graph.ts'
import {
  type CheckpointVote,
  encodeBody,
  encodeHeader,
  refOf,
  type Vertex,
  type VertexHeader,
  type VertexRef
} from './vertex.ts'

export type ProposalInput = {
  readonly committee: Committee
  readonly graph: Graph
  readonly self: number
  readonly lastOwn: Vertex | undefined
  readonly round: number
  readonly timestampMs: number
  readonly events: readonly Uint8Array[]
  readonly votes: readonly CheckpointVote[]
}

export type Proposal = {
  readonly header: VertexHeader
  readonly headerBytes: Uint8Array
  readonly digest: string
  readonly body: Uint8Array
}

/** Our next vertex, unsigned. */
export function makeProposal(input: ProposalInput): Proposal {
  const body = encodeBody(input.events)
  const header: VertexHeader = {
    epoch: input.committee.epoch,
    round: input.round,
    author: input.self,
    timestampMs: Math.max(0, Math.floor(input.timestampMs)),
    parents: parentsOf(input),
    eventCount: input.events.length,
    bodyDigest: bytesToHex(sha256(body)),
    votes: input.votes
  }
  const headerBytes = encodeHeader(header)
  return { header, headerBytes, digest: bytesToHex(sha256(headerBytes)), body }
}

/** Own newest vertex first, then everybody's newest below the round: older ones too, so that their events are swept up. */
function parentsOf({ committee, graph, self, lastOwn, round }: ProposalInput): VertexRef[] {
  // After a rollback the graph can have newer ones of ours, back from peers.
  const inGraph = graph.newestUpTo(self, round - 1)
  const isNewer = lastOwn !== undefined && lastOwn.header.round >= (inGraph?.header.round ?? graph.gcRound + 1)
  const own = isNewer ? lastOwn : inGraph
  const parents: VertexRef[] = own === undefined ? [] : [refOf(own)]
  for (const author of committee.validators.keys()) {
    const newest = author === self ? undefined : graph.newestUpTo(author, round - 1)
    if (newest !== undefined) parents.push(refOf(newest))
  }
  return parents
}
