import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitDigest, encodeCommit } from '../../src/consensus/core/commit.ts'
import { defaultParameters } from '../../src/consensus/core/parameters.ts'
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

const fresh = () => new CommitSync(defaultParameters)
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
  const sync = new CommitSync({ ...defaultParameters, commitsPerSyncMax: 3 })
  assert.equal(typeof sync.receive(genesis, answer(1, 4)), 'string')
})

test('peers far ahead are asked in turn, one at a time; what a peer claims is only a reason to ask', () => {
  const sync = fresh()
  const ahead = { round: 1000, commitIndex: 900, certifiedCommitIndex: 900 }
  const peers = new Map([
    ['near', { progress: { ...ahead, round: 20 } }],
    ['uncertified', { progress: { ...ahead, certifiedCommitIndex: 0 } }],
    ['a', { progress: ahead }],
    ['b', { progress: ahead }]
  ])
  assert.equal(sync.peerToAsk(0, genesis, 0, peers), 'a')
  assert.equal(sync.peerToAsk(1, genesis, 0, peers), undefined)
  assert.equal(sync.peerToAsk(2000, genesis, 0, peers), 'b')
  sync.failed()
  assert.equal(sync.peerToAsk(2001, genesis, 0, peers), 'a')
  assert.equal(sync.isActive, false)
})
