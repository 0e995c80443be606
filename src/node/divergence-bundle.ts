import { access } from 'node:fs/promises'
import path from 'node:path'
import { bytesToHex, publicKeyToText } from '../codec/index.ts'
import { type Committee, decodeCommit, type VertexStore } from '../consensus/index.ts'
import type { Chains } from '../dag/index.ts'
import { writeFileDurably } from './durable-file.ts'
import { checkpointView } from './views.ts'

export type DivergenceInput = {
  readonly logsFolder: string
  readonly version: string
  readonly network: string
  readonly genesis: string
  readonly diverged: { readonly sequence: number; readonly ours: string; readonly theirs: string }
  readonly committee: Committee
  readonly finalRound: number
  readonly commits: number
  readonly chains: Pick<Chains, 'checkpoint'>
  readonly store: Pick<VertexStore, 'rounds' | 'commitBytes'>
}

const commitsMax = 32
const votesMax = 1024
/** Votes travel in vertices shortly after the checkpoint they sign. */
const roundsBack = 200
const roundsAhead = 500

/**
 * Writes what somebody needs to find out why this node computed another state than the others: both digests, who signed
 * which, our checkpoints, the last commits, the versions. Once for each checkpoint; gives its path.
 */
export async function writeDivergenceBundle(input: DivergenceInput): Promise<string> {
  const { diverged, committee, chains } = input
  const file = path.join(input.logsFolder, `divergence-${diverged.sequence}.json`)
  if (await exists(file)) return file
  const ours = await chains.checkpoint(diverged.sequence)
  const before = await chains.checkpoint(diverged.sequence - 1)
  const bundle = {
    schema: 'blyan.divergence/1',
    writtenAt: new Date().toISOString(),
    version: input.version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    network: input.network,
    genesis: input.genesis,
    sequence: diverged.sequence,
    ours: { digest: diverged.ours, checkpoint: ours === undefined ? null : checkpointView(ours, committee) },
    theirs: { digest: diverged.theirs },
    lastAgreed: before === undefined ? null : checkpointView(before, committee),
    validators: committee.validators.map((validator, author) => ({
      author,
      name: validator.name,
      key: publicKeyToText(validator.publicKey),
      weight: validator.weight
    })),
    votes: await votesOn(input),
    commits: await lastCommits(input)
  }
  await writeFileDurably(file, `${JSON.stringify(bundle, null, 2)}\n`, { mode: 0o600 })
  return file
}

/** Every signature on that checkpoint that reached our disk, with the vertex that carried it. */
async function votesOn({ diverged, finalRound, store }: DivergenceInput): Promise<object[]> {
  const votes: object[] = []
  for await (const vertex of store.rounds(finalRound - roundsBack, finalRound + roundsAhead)) {
    for (const vote of vertex.header.votes) {
      if (vote.sequence !== diverged.sequence) continue
      votes.push({
        author: vertex.header.author,
        round: vertex.header.round,
        digest: vote.digest,
        signature: bytesToHex(vote.signature),
        agreesWithUs: vote.digest === diverged.ours
      })
      if (votes.length >= votesMax) return votes
    }
  }
  return votes
}

async function lastCommits({ commits, store }: DivergenceInput): Promise<object[]> {
  const found: object[] = []
  for (let index = Math.max(1, commits - commitsMax + 1); index <= commits; index++) {
    const bytes = await store.commitBytes(index)
    if (bytes === undefined) continue
    const { round, previous, timestampMs, vertices } = decodeCommit(bytes)
    found.push({
      index,
      round,
      previous,
      time: new Date(timestampMs).toISOString(),
      vertices: vertices.map(ref => ref.digest)
    })
  }
  return found
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false
  )
}
