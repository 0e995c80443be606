import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex, hexToBytes } from '../../src/codec/index.ts'
import type { Vertex } from '../../src/consensus/index.ts'
import { State } from '../../src/dag/core/state.ts'
import { closeEpoch, writeWantedSet } from '../../src/dag/core/validator-state.ts'
import { readSettlement } from '../../src/ledger/rewards/history.ts'
import { latenessOf } from '../../src/ledger/rewards/speed.ts'
import { countsOfAll, lastSeenMs, presentPpm, readTally } from '../../src/ledger/rewards/tally.ts'
import { operatorOf } from '../../src/ledger/staking/pool-records.ts'
import { accountOf, keyOf, SmallNetwork } from '../dag/small-network.ts'
import { bly, economyGenesisFile, LedgerWorld, operatorKey, vertexAt } from './ledger-world.ts'

const operators = [0, 1, 2, 3].map(place => accountOf(operatorKey(place)))
const everybody = [0, 1, 2, 3]
const countsOf = (world: LedgerWorld, place: number) => new Map(countsOfAll(world.state)).get(operators[place]!)!

/** A commit whose vertices of one round were signed at these offsets from its time; null for none. */
function commitSigned(world: LedgerWorld, round: number, offsets: readonly (number | null)[]): void {
  world.nowMs += 100
  const vertices = offsets.flatMap((offset, place) =>
    offset === null ? [] : [vertexAt(round, place, world.nowMs + offset)]
  )
  world.commitVertices(round, vertices)
}

test('who has a vertex in every round takes part in full, who stops is gone after eight rounds', () => {
  const world = new LedgerWorld()
  world.commit(0)
  for (let round = 0; round < 20; round++) world.commit(1000, [0, 1, 2])
  assert.equal(countsOf(world, 0).committed, 21)
  assert.equal(countsOf(world, 3).committed, 1)
  assert.equal(countsOf(world, 0).presentMs, 20_000)
  assert.equal(countsOf(world, 3).presentMs, 8000)
  assert.equal(presentPpm(world.state, operators[3]!), 400_000)
  assert.equal(lastSeenMs(world.state, operators[3]!), world.genesis.timeMs)
  assert.equal(lastSeenMs(world.state, operators[0]!), world.nowMs)
  assert.equal(lastSeenMs(world.state, 'nobody'), undefined)
  assert.equal(presentPpm(world.state, 'nobody'), 0)
})

test('of two vertices for one round one counts, and the unsigned ones of an epoch are nobody’s', () => {
  const world = new LedgerWorld()
  const twins = [vertexAt(1, 0, 5), vertexAt(1, 0, 6)]
  const base = { ...vertexAt(1, 1, 5), signature: new Uint8Array(0) }
  const foreign = vertexAt(1, 2, 5, { epoch: 7 })
  world.commitVertices(1, [...twins, base, foreign])
  assert.deepEqual(
    everybody.map(place => countsOf(world, place).committed),
    [1, 0, 0, 0]
  )
})

test('lateness is counted from the earliest time that more than a third vouch for', () => {
  assert.deepEqual(latenessOf([1000, 1050, 1060, 1200], [1, 1, 1, 1]), [0, 0, 10, 150])
  // One of four says it was first by an hour: nobody else becomes late by it.
  assert.deepEqual(latenessOf([-3_600_000, 1050, 1060, 1200], [1, 1, 1, 1]), [0, 0, 10, 150])
  // One says it was last by an hour: it is late, at most by a second.
  assert.deepEqual(latenessOf([1000, 1050, 1060, 3_600_000], [1, 1, 1, 1]), [0, 0, 10, 1000])
  // By weight: the heavy one alone is more than a third.
  assert.deepEqual(latenessOf([1000, 1050, 1060, 1200], [5, 1, 1, 1]), [0, 50, 60, 200])
  assert.deepEqual(latenessOf([1000, null, 1060, 1200], [1, 1, 1, 1]), [0, null, 0, 140])
  // Less than a quorum says nothing about anybody.
  assert.equal(latenessOf([1000, null, null, 1200], [1, 1, 1, 1]), undefined)
  assert.deepEqual(latenessOf([7], [1]), [0])
})

test('a round is measured once it can take no more vertices; who comes later is a second late', () => {
  const world = new LedgerWorld()
  for (let round = 1; round <= 10; round++) commitSigned(world, round, [0, 10, 20, 140])
  // Rounds 1 to 8 are closed.
  assert.deepEqual(
    everybody.map(place => countsOf(world, place).measured),
    [8, 8, 8, 8]
  )
  assert.deepEqual(
    everybody.map(place => countsOf(world, place).lateMs),
    [0, 0, 80, 8 * 130]
  )
  commitSigned(world, 11, [0, 10, 20, null])
  commitSigned(world, 12, [0, 10, 20, null])
  commitSigned(world, 13, [0, 10, 20, null])
  const before = countsOf(world, 3)
  world.nowMs += 100
  world.commitVertices(14, [...[0, 1, 2].map(place => vertexAt(14, place, world.nowMs)), vertexAt(11, 3, world.nowMs)])
  assert.equal(countsOf(world, 3).lateMs - before.lateMs, 1000)
  assert.equal(countsOf(world, 3).measured - before.measured, 1)
  // The leader of a commit stands before the others of its round, who are in the next commit: that is not late.
  world.commitVertices(15, [vertexAt(15, 0, world.nowMs)])
  world.commitVertices(
    16,
    [1, 2, 3].map(place => vertexAt(15, place, world.nowMs + 40))
  )
  world.commitVertices(
    18,
    [0, 1, 2, 3].map(place => vertexAt(17, place, world.nowMs))
  )
  assert.equal(countsOf(world, 0).lateMs, 0)
  assert.equal(countsOf(world, 2).newest, 17)
})

test('what was counted follows the operator through a change of the set and of keys', () => {
  const world = new LedgerWorld()
  for (let round = 0; round < 5; round++) world.commit(1000)
  // Place 0 leaves, place 1 has another key, and the order is turned round.
  const rotated = keyOf('rotated')
  world.state.set(`operator/${accountOf(rotated)}`, operators[1]!)
  const [, one, two, three] = world.members
  writeWantedSet(world.state, [three!, two!, { ...one!, publicKey: rotated.publicKey }])
  closeEpoch(world.state, world.genesis, { round: 5, timestampMs: world.nowMs })
  const next = (round: number, places: readonly number[]): void => {
    world.nowMs += 1000
    world.commitVertices(
      round,
      places.map(place => vertexAt(round, place, world.nowMs, { epoch: 1 }))
    )
  }
  next(6, [0, 1, 2])
  next(7, [0, 2])
  assert.deepEqual(
    everybody.map(place => countsOf(world, place).committed),
    [5, 7, 6, 7]
  )
  assert.deepEqual(
    everybody.map(place => countsOf(world, place).presentMs),
    [4000, 6000, 6000, 6000]
  )
  assert.equal(countsOfAll(world.state).length, 4)
  assert.equal(lastSeenMs(world.state, operators[0]!), world.genesis.timeMs + 5000)
})

test('a state that was stored and read again in the middle counts on as if nothing had been', () => {
  const whole = new LedgerWorld({ parameters: { periodMs: '10000' } })
  const torn = new LedgerWorld({ parameters: { periodMs: '10000' } })
  let state = torn.state
  for (let round = 1; round <= 25; round++) {
    const signers = round % 3 === 0 ? [0, 2, 3] : everybody
    whole.commit(700, signers)
    const read = new State([...state.entries()])
    torn.nowMs = whole.nowMs
    const vertices = signers.map(place => vertexAt(round, place, whole.nowMs))
    const commit = { index: round, round, previous: '', timestampMs: whole.nowMs, vertices: [] }
    torn.handlers.economy!.afterCommit(read, {
      commit,
      vertices,
      set: { epoch: 0, baseRound: 0, members: torn.members }
    })
    state = read
  }
  assert.equal(state.root(), whole.state.root())
  assert.ok(readSettlement(state, 1) !== undefined)
})

test('a vote for another checkpoint than the one that was made is counted, by the executor itself', () => {
  const network = new SmallNetwork(economyGenesisFile())
  const { executor } = network
  const digests: string[] = []
  const commit = (votes: Vertex['header']['votes'], author = 0): void => {
    const given = network.commit()
    const [vertex] = given.vertices as [Vertex]
    const header = { ...vertex.header, author, votes }
    const result = executor.execute({
      ...given,
      vertices: [{ ...vertex, header, signature: new Uint8Array(64) }]
    })
    if (result.checkpoint !== undefined) digests.push(result.checkpoint.digest)
  }
  while (digests.length < 2) commit([])
  const vote = (sequence: number, digest: string) => ({ sequence, digest, signature: new Uint8Array(64) })
  commit([vote(1, digests[0]!), vote(2, digests[1]!)], 1)
  commit([vote(1, digests[1]!), vote(2, digests[1]!)], 2)
  // What nobody has executed yet, or nobody remembers, is not judged.
  commit([vote(99, digests[0]!), vote(0, digests[0]!)], 3)
  const counts = new Map(countsOfAll(executor.state))
  assert.deepEqual(
    operators.map(operator => counts.get(operator)!.wrong),
    [0, 0, 1, 0]
  )
  while (digests.length < 70) commit([])
  commit([vote(1, digests[1]!)], 1)
  commit([vote(70, digests[1]!)], 1)
  assert.equal(new Map(countsOfAll(executor.state)).get(operators[1]!)!.wrong, 1)
})

test('where the state stands at a checkpoint, nothing is written that its root does not hold', () => {
  const network = new SmallNetwork(economyGenesisFile())
  for (let sequence = 1; sequence <= 3; ) {
    const result = network.order()
    if (result.checkpoint === undefined) continue
    const { state } = network.executor
    const cursor = state.get('executor/cursor') as Record<string, never>
    state.set('executor/cursor', { ...cursor, previous: hexToBytes(result.checkpoint.checkpoint.previous)! })
    assert.equal(state.root(), result.checkpoint.checkpoint.stateRoot)
    state.set('executor/cursor', cursor)
    sequence++
  }
  assert.equal(bytesToHex(network.executor.state.bytesOf('rewards/tally')!).length > 0, true)
})

test('with fifty validators what is written after a commit stays a small entry', () => {
  const world = new LedgerWorld({ operators: 50 })
  for (let round = 0; round < 40; round++) world.commit(250)
  assert.ok(world.state.bytesOf('rewards/tally')!.length < 4096)
  assert.equal(readTally(world.state)!.open.length, 2)
  assert.equal(operatorOf(world.state, accountOf(keyOf('validator 7'))), accountOf(operatorKey(7)))
  assert.equal(world.balance(operatorKey(0)), 1_000_000n * bly)
})
