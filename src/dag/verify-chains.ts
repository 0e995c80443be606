import { bytesEqual, digestOfCid, verifySignature } from '../codec/index.ts'
import {
  commitDigest,
  decodeCommit,
  type Vertex,
  type VertexStore,
  vertexSigningBytes,
  WeightCounter
} from '../consensus/index.ts'
import type { Chains } from './chains.ts'
import { topologicalOrder } from './core/block-graph.ts'
import { checkpointSigningBytes, encodeCheckpoint } from './core/checkpoint.ts'
import { Executor } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import { EventChecker } from './event-checker.ts'

export type ChainsVerdict = {
  readonly valid: boolean
  readonly reason: string | null
  readonly blocks: number
  readonly events: number
  readonly stateRoot: string
}

/**
 * Checks everything on disk against genesis alone: the chain of commits, every vertex and event signature, execution
 * from the first event on, every block, every checkpoint and its certificate. Works beside a running node, up to the
 * commit that was last when it began.
 */
export async function verifyChains(needs: {
  genesis: Genesis
  handlers: HandlerRegistry
  vertices: VertexStore
  chains: Chains
}): Promise<ChainsVerdict> {
  const { genesis, handlers, vertices, chains } = needs
  const executor = new Executor({ genesis, handlers })
  const checker = new EventChecker(genesis.digest)
  const graph = new Map<string, string[]>(
    genesis.blocks.map(block => [block.cid.toString(), block.header.depends_on.map(String)])
  )
  let events = 0
  const verdict = (reason: string | null): ChainsVerdict => ({
    valid: reason === null,
    reason,
    blocks: graph.size,
    events,
    stateRoot: executor.state.root()
  })
  const last = (await vertices.lastCommit())?.point.index ?? 0
  let previous = genesis.digestHex
  for (let index = 1; index <= last; index++) {
    const bytes = await vertices.commitBytes(index)
    if (bytes === undefined) return verdict(`commit ${index} is missing`)
    const commit = decodeCommit(bytes)
    if (commit.index !== index || commit.previous !== previous)
      return verdict(`commit ${index} does not follow the one before`)
    previous = commitDigest(bytes)
    const ordered: Vertex[] = []
    for (const ref of commit.vertices) {
      const vertex = await vertices.vertex(ref.digest)
      if (vertex === undefined || vertex.digest !== ref.digest)
        return verdict(`a vertex of commit ${index} is missing or differs`)
      const author = genesis.committee.validators[vertex.header.author]
      const isSigned =
        author !== undefined &&
        (await verifySignature(author.publicKey, vertexSigningBytes(genesis.digest, vertex.digest), vertex.signature))
      if (!isSigned || !(await checker.check(vertex))) return verdict(`a signature in commit ${index} is wrong`)
      ordered.push(vertex)
    }
    const execution = executor.execute({
      commit,
      commitDigest: previous,
      vertices: ordered,
      eventsOf: vertex => checker.eventsOf(vertex)
    })
    events += execution.events.length
    for (const block of execution.blocks) {
      const stored = await chains.blockBytes(digestOfCid(block.cid))
      if (stored === undefined || !bytesEqual(stored, block.bytes))
        return verdict(`block ${block.cid.toString()} is missing or differs`)
      graph.set(block.cid.toString(), block.header.depends_on.map(String))
    }
    if (execution.checkpoint === undefined) continue
    const stored = await chains.checkpoint(execution.checkpoint.checkpoint.sequence)
    if (stored === undefined || !bytesEqual(encodeCheckpoint(stored.checkpoint), execution.checkpoint.bytes))
      return verdict(`checkpoint ${execution.checkpoint.checkpoint.sequence} is missing or differs`)
    if (stored.votes.length > 0 && !(await isCertified(genesis, execution.checkpoint.digest, stored.votes)))
      return verdict(`the certificate of checkpoint ${stored.checkpoint.sequence} is wrong`)
  }
  for (const chain of ['A', 'B', 'C', 'D'] as const) {
    const { height } = executor.chain(chain)
    for (let index = 0; index < height; index++) {
      const block = await chains.block(chain, index)
      if (
        block === undefined ||
        block.header.index !== index ||
        block.header.chain_id !== chain ||
        !graph.has(block.cid.toString())
      )
        return verdict(`block ${index} of chain ${chain} is missing or differs`)
    }
  }
  topologicalOrder(graph)
  return verdict(null)
}

async function isCertified(
  genesis: Genesis,
  digest: string,
  votes: readonly { author: number; signature: Uint8Array }[]
): Promise<boolean> {
  const weight = new WeightCounter(genesis.committee)
  for (const vote of votes) {
    const validator = genesis.committee.validators[vote.author]
    if (
      validator !== undefined &&
      (await verifySignature(validator.publicKey, checkpointSigningBytes(genesis.digest, digest), vote.signature))
    )
      weight.add(vote.author)
  }
  return weight.isQuorum
}
