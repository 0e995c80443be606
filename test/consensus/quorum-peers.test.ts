import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Vertex } from '../../src/consensus/core/vertex.ts'
import { QuorumPeers } from '../../src/consensus/peers.ts'
import { decodeAnnouncement, feedFrame } from '../../src/consensus/wire.ts'
import type { Network } from '../../src/net/index.ts'
import { committeeOf, DagBuilder } from './dag-builder.ts'

/** The peers of a member of four, with what was pushed to each of them. */
function peersOf(isValidator = true) {
  const committee = committeeOf(4)
  const time = { nowMs: 0 }
  const pushed = new Map<string, Uint8Array[]>()
  const asked: string[] = []
  const network = {
    feed: (peerId: string) => ({
      push: (frame: Uint8Array) => pushed.set(peerId, [...(pushed.get(peerId) ?? []), frame]),
      close: () => {}
    }),
    request: async (peerId: string) => {
      asked.push(peerId)
      return Uint8Array.of(1)
    },
    keepRoomFor: () => {},
    penalise: () => {}
  } as unknown as Network
  const peers = new QuorumPeers({
    network,
    committee: () => committee,
    isValidator: () => isValidator,
    onFeedOpened: () => {},
    nowMs: () => time.nowMs
  })
  const kindsTo = (peerId: string) => (pushed.get(peerId) ?? []).map(frame => frame[0])
  return { peers, time, pushed, asked, kindsTo }
}

const vertices = new DagBuilder(committeeOf(4)).full(4).vertices.map(vertex => ({
  ...vertex,
  signature: new Uint8Array(64)
}))
const ownOf = (round: number): Vertex =>
  vertices.find(vertex => vertex.header.round === round && vertex.header.author === 0)!

test('fresh vertices go out whole in a hurry and in short when quiet; what was sent before is only named', () => {
  const { peers, time, pushed, kindsTo } = peersOf()
  peers.connected('peer1')
  peers.connected('follower')
  peers.pushOwnVertex(ownOf(1), false)
  time.nowMs = 10_000
  peers.pushOwnVertex(ownOf(2), false)
  time.nowMs = 10_010
  peers.pushOwnVertex(ownOf(3), false)
  peers.pushOwnVertex(ownOf(3), true)
  const { vertex, brief, announcement } = feedFrame
  assert.deepEqual(kindsTo('peer1'), [vertex, brief, vertex, announcement])
  assert.deepEqual(decodeAnnouncement(pushed.get('peer1')!.at(-1)!.subarray(1)).refs, [
    { round: 3, author: 0, digest: ownOf(3).digest }
  ])
  assert.deepEqual(kindsTo('follower'), [])
})

test('a relay hands on what it accepts; those that did not ask get nothing of others', () => {
  const { peers, kindsTo } = peersOf()
  peers.connected('peer1')
  peers.connected('follower')
  assert.deepEqual([peers.addRelay('follower'), peers.addRelay('follower')], [true, true])
  peers.pushRelayed(vertices[1]!)
  assert.deepEqual([kindsTo('follower'), kindsTo('peer1')], [[feedFrame.vertex], []])
})

test('vertices are taken from their author and from whom we asked to relay, from nobody else', () => {
  const { peers } = peersOf()
  peers.connected('peer1')
  assert.deepEqual(
    [peers.maySend('peer1', 1), peers.maySend('peer1', 2), peers.maySend('nobody', 1)],
    [true, false, false]
  )
  const follower = peersOf(false)
  follower.peers.connected('peer1')
  follower.peers.connected('peer2')
  assert.deepEqual(follower.asked, ['peer1'])
  assert.deepEqual([follower.peers.maySend('peer1', 3), follower.peers.maySend('peer2', 3)], [true, false])
  follower.peers.disconnected('peer1')
  assert.deepEqual(follower.asked, ['peer1', 'peer2'])
  assert.deepEqual([follower.peers.maySend('peer1', 1), follower.peers.maySend('peer2', 3)], [false, true])
})

test('who has had nothing for long is told how far we are, others are left in peace', () => {
  const { peers, time, kindsTo } = peersOf()
  peers.connected('peer1')
  peers.connected('quiet')
  for (let round = 1; round <= 4; round++) {
    time.nowMs += 10_000
    peers.pushOwnVertex(ownOf(round), false)
    peers.pushToQuiet(() => Uint8Array.of(feedFrame.progress))
  }
  assert.equal(kindsTo('peer1').includes(feedFrame.progress), false)
  assert.deepEqual(kindsTo('quiet'), [feedFrame.progress, feedFrame.progress])
})
