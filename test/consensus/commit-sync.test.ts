import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitDigest, encodeCommit } from '../../src/consensus/core/commit.ts'
import { defaultParameters } from '../../src/consensus/core/parameters.ts'
import { type PeerProgress, PeerTable } from '../../src/consensus/core/peer-table.ts'
import { type CertifiedCommits, CommitSync } from '../../src/consensus/core/sync.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { committeeOf, DagBuilder, OrderingNode } from './dag-builder.ts'

const node = new OrderingNode(committeeOf(4))
const dag = new DagBuilder(node.committee).full(14)
const { commits } = node.feed(...dag.vertices).decide()
const bytes = commits.map(encodeCommit)
const genesis = { index: 0, round: 0, digest: commits[0]!.previous, timestampMs: 0 }

function answer(from: number, to: number): CertifiedCommits {
  const digest = commitDigest(bytes[to - 1]!)
  const certificate = { sequence: 7, digest: 'ee'.repeat(32), commitIndex: to, commitDigest: digest }
  return { commits: bytes.slice(from - 1, to), certificate }
}

const fresh = () => new CommitSync(defaultParameters, 0)
const vertexOf = (digest: string) => node.graph.get(digest)

test('a certified chain is applied commit by commit once its vertices are here', () => {
  const sync = fresh()
  assert.equal(sync.receive(genesis, answer(1, 10)), undefined)
  assert.equal(
    sync.takeReady(() => undefined),
    undefined
  )
  assert.equal(sync.missing(() => false).length, 8 * 4)
  const taken = []
  for (let ready = sync.takeReady(vertexOf); ready !== undefined; ready = sync.takeReady(vertexOf)) taken.push(ready)
  assert.deepEqual(
    taken.map(ready => ready.commit),
    commits.slice(0, 10)
  )
  assert.deepEqual(
    taken.map(ready => ready.reached?.sequence),
    [...new Array(9).fill(undefined), 7]
  )
  assert.equal(sync.isActive, false)
})

const broken: Record<string, CertifiedCommits> = {
  'nothing in it': { ...answer(1, 5), commits: [] },
  'one left out': { ...answer(1, 5), commits: [bytes[0]!, bytes[2]!, bytes[3]!, bytes[4]!] },
  'not beginning after ours': answer(2, 5),
  'two swapped': { ...answer(1, 3), commits: [bytes[1]!, bytes[0]!, bytes[2]!] },
  'ending before the certified one': { ...answer(1, 5), commits: bytes.slice(0, 4) },
  'ending after the certified one': { ...answer(1, 5), commits: bytes.slice(0, 6) },
  'another previous': {
    ...answer(1, 2),
    commits: [bytes[0]!, encodeCommit({ ...commits[1]!, previous: '00'.repeat(32) })]
  },
  'one changed in the middle': {
    ...answer(1, 3),
    commits: [bytes[0]!, encodeCommit({ ...commits[1]!, timestampMs: 1 }), bytes[2]!]
  },
  'the last one changed': {
    ...answer(1, 2),
    commits: [bytes[0]!, encodeCommit({ ...commits[1]!, timestampMs: 1 })]
  },
  'a round that does not rise': {
    ...answer(1, 2),
    commits: [bytes[0]!, encodeCommit({ ...commits[1]!, round: commits[0]!.round })]
  }
}

for (const [name, bad] of Object.entries(broken)) {
  test(`a chain of commits is refused: ${name}`, () => {
    const sync = fresh()
    assert.equal(typeof sync.receive(genesis, bad), 'string')
    assert.equal(sync.isActive, false)
  })
}

test('commits that do not decode are refused by name, and the next answer is welcome', () => {
  const sync = fresh()
  assert.throws(
    () => sync.receive(genesis, { ...answer(1, 2), commits: [Uint8Array.of(1), bytes[1]!] }),
    error => isBlyanError(error, 'ENCODING_INVALID')
  )
  assert.equal(sync.receive(genesis, answer(1, 2)), undefined)
})

test('more commits than asked for are refused', () => {
  const sync = new CommitSync({ ...defaultParameters, commitsPerSyncMax: 3 }, 0)
  assert.equal(typeof sync.receive(genesis, answer(1, 4)), 'string')
})

const far = {
  epoch: 0,
  round: 1000,
  commitIndex: 900,
  certifiedCommitIndex: 900,
  oldestCommitIndex: 1,
  snapshotCommitIndex: 0
}

/** Four validators and whoever else; what each says of itself. */
function peersThatSay(progress: Record<string, PeerProgress>): PeerTable {
  const peers = new PeerTable(node.committee)
  for (const [place, [name, says]] of Object.entries(progress).entries()) {
    peers.connected(name, place < 4 ? place : undefined)
    peers.progress(name, says)
  }
  return peers
}

test('peers far ahead are asked in turn, one at a time; what a peer claims is only a reason to ask', () => {
  const sync = fresh()
  const peers = peersThatSay({
    near: { ...far, round: 20 },
    uncertified: { ...far, certifiedCommitIndex: 0 },
    a: far,
    b: far
  })
  const ask = (nowMs: number) => sync.plan(nowMs, genesis, 0, peers)
  assert.deepEqual(ask(0), { kind: 'commits', peer: 'a' })
  assert.equal(ask(1), undefined)
  assert.deepEqual(ask(2000), { kind: 'commits', peer: 'b' })
  sync.failed()
  assert.deepEqual(ask(2001), { kind: 'commits', peer: 'a' })
  assert.equal(sync.isActive, false)
})

test('a peer that fails is asked after the others for a while, and never as fast as it answers when it is alone', () => {
  const sync = fresh()
  const peers = peersThatSay({ a: far, b: far, c: far })
  const asked: string[] = []
  for (let nowMs = 0; nowMs < 20_000; nowMs += 2000) {
    const plan = sync.plan(nowMs, genesis, 0, peers)
    if (plan?.kind !== 'commits') continue
    asked.push(plan.peer)
    if (plan.peer === 'b') sync.failed()
  }
  assert.equal(asked.filter(peer => peer === 'b').length, 1)
  assert.ok(asked.length >= 10, `${asked.length} asked`)
  const alone = peersThatSay({ a: far })
  let count = 0
  for (let nowMs = 100_000; nowMs < 101_000; nowMs++)
    if (sync.plan(nowMs, genesis, 0, alone) !== undefined) {
      count++
      sync.failed()
    }
  assert.equal(count, 4)
})

test('a peer of a later epoch is ahead, whatever its round', () => {
  const peers = peersThatSay({ a: { ...far, epoch: 1, round: 1, certifiedCommitIndex: 0 } })
  assert.deepEqual(fresh().plan(0, genesis, 0, peers), { kind: 'commits', peer: 'a' })
})

test('a snapshot is asked for when more than may lie say that it is needed, and commits again when it fails', () => {
  const leap = { ...far, certifiedCommitIndex: 9000, commitIndex: 9000, snapshotCommitIndex: 8000 }
  const sync = fresh()
  const oneSaysSo = peersThatSay({ a: leap, b: far, c: far })
  assert.equal(sync.plan(0, genesis, 0, oneSaysSo), undefined)
  assert.deepEqual(sync.plan(2000, genesis, 0, oneSaysSo), { kind: 'commits', peer: 'a' })
  const peers = peersThatSay({ a: leap, b: leap, c: far })
  sync.failed()
  assert.deepEqual(sync.plan(2001, genesis, 0, peers), { kind: 'snapshot', peers: ['a', 'b'] })
  assert.equal(sync.isActive, true)
  assert.equal(sync.plan(2002, genesis, 0, peers), undefined)
  sync.snapshotFailed(4003)
  assert.equal(sync.plan(4003, genesis, 0, peers)?.kind, 'commits')
  sync.failed()
  assert.equal(sync.plan(20_000, genesis, 0, peers)?.kind, 'snapshot')
})

test('commits that are kept no longer are not asked for: a snapshot is, however small the leap', () => {
  const pruned = { ...far, oldestCommitIndex: 400, snapshotCommitIndex: 500 }
  const peers = peersThatSay({ a: pruned, b: pruned, c: pruned })
  assert.deepEqual(fresh().plan(0, genesis, 0, peers), { kind: 'snapshot', peers: ['a', 'b', 'c'] })
  const nothing = peersThatSay({ a: { ...pruned, snapshotCommitIndex: 0 } })
  assert.equal(fresh().plan(0, genesis, 0, nothing), undefined)
})
