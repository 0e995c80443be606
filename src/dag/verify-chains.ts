import { bytesEqual, digestOfCid, verifySignature } from '../codec/index.ts'
import {
  type Committee,
  commitDigest,
  decodeCommit,
  type Vertex,
  type VertexStore,
  vertexSigningBytes,
  WeightCounter
} from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { Chains } from './chains.ts'
import { chainIds } from './core/block.ts'
import { topologicalOrder } from './core/block-graph.ts'
import { checkpointSigningBytes, encodeCheckpoint } from './core/checkpoint.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import { committeeOfSet, decodeSet } from './core/validator-set.ts'
import { EventChecker } from './event-checker.ts'
import { type ReplayStart, shelvedSource, startAtGenesis, startAtSnapshot } from './snapshot-replay.ts'

export type ChainsVerdict = {
  readonly valid: boolean
  readonly reason: string | null
  readonly blocks: number
  readonly events: number
  readonly stateRoot: string
  /** What was trusted to begin with: the certified checkpoint of a snapshot; null when everything was checked from genesis on. */
  readonly since: { readonly sequence: number; readonly commit: number } | null
}

/**
 * Checks everything on disk against genesis alone: the chain of commits, every vertex and event signature, execution
 * from the first event on, every block, every checkpoint and its certificate. A node that does not keep all history
 * begins at its oldest snapshot, whose certificate and contents are checked in full. Works beside a running node, up to
 * the commit that was last when it began.
 */
export async function verifyChains(needs: {
  genesis: Genesis
  handlers: HandlerRegistry
  vertices: VertexStore
  chains: Chains
}): Promise<ChainsVerdict> {
  const { genesis, vertices, chains } = needs
  const start = await startOf(needs)
  const { executor } = start
  const isWhole = start.sequence === 0
  const checker = new EventChecker(genesis.digest)
  const known = new Set(start.blocks.map(block => block.cid.toString()))
  const graph = new Map<string, string[]>(
    start.blocks.map(block => [
      block.cid.toString(),
      block.header.depends_on.map(String).filter(cid => isWhole || known.has(cid))
    ])
  )
  const heights = chainIds.map(chain => (isWhole || chain === 'B' ? 0 : executor.chain(chain).height))
  let events = 0
  const verdict = (reason: string | null): ChainsVerdict => ({
    valid: reason === null,
    reason,
    blocks: graph.size,
    events,
    stateRoot: executor.state.root(),
    since: isWhole ? null : { sequence: start.sequence, commit: start.commitIndex }
  })
  const last = (await vertices.lastCommit())?.point.index ?? 0
  let previous = start.commitDigest
  let { committee } = start
  for (let index = start.commitIndex + 1; index <= last; index++) {
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
      const author = committee.validators[vertex.header.author]
      const isSigned =
        author !== undefined &&
        vertex.header.epoch === committee.epoch &&
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
    if (stored.votes.length > 0 && !(await isCertified(genesis, committee, execution.checkpoint.digest, stored.votes)))
      return verdict(`the certificate of checkpoint ${stored.checkpoint.sequence} is wrong`)
    const { nextSet } = execution.checkpoint
    if (nextSet === undefined) continue
    if (stored.votes.length === 0 && index < last)
      return verdict(`checkpoint ${stored.checkpoint.sequence} ended an epoch without a certificate`)
    committee = committeeOfSet(decodeSet(nextSet), genesis.degraded)
  }
  for (const [place, chain] of chainIds.entries()) {
    const { height } = executor.chain(chain)
    for (let index = heights[place]!; index < height; index++) {
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

/** Genesis, or the oldest snapshot above which everything is here. Throws SNAPSHOT_NONE. */
async function startOf(needs: {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Chains
}): Promise<ReplayStart> {
  const { history, snapshots } = needs.chains
  if (history.firstCommit === 1) return startAtGenesis(needs)
  for (const shelved of await snapshots.shelf.list())
    if (shelved.manifest.checkpoint.commitIndex + 1 >= history.firstCommit)
      return startAtSnapshot(needs, shelvedSource(snapshots.shelf, shelved))
  throw new BlyanError('SNAPSHOT_NONE', { what: `above commit ${history.firstCommit - 1}, to verify from` })
}

async function isCertified(
  genesis: Genesis,
  committee: Committee,
  digest: string,
  votes: readonly { author: number; signature: Uint8Array }[]
): Promise<boolean> {
  const weight = new WeightCounter(committee)
  for (const vote of votes) {
    const validator = committee.validators[vote.author]
    if (
      validator !== undefined &&
      (await verifySignature(validator.publicKey, checkpointSigningBytes(genesis.digest, digest), vote.signature))
    )
      weight.add(vote.author)
  }
  return weight.isQuorum
}
