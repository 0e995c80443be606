import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicKeyToText } from '../../../src/codec/index.ts'
import { State } from '../../../src/dag/core/state.ts'
import type { Genesis } from '../../../src/dag/index.ts'
import { noteOmissions, readLooked, readOmitted } from '../../../src/ledger/slashing/omissions.ts'
import { accountOf } from '../../dag/small-network.ts'
import { simulate } from '../../sim/simulation.ts'
import { bly, operatorKey } from '../ledger-world.ts'
import type { StakingWorld } from '../staking-world.ts'
import { dayMs, hourMs, isMember, offender, operator, punishments, slashingWorld } from './accused.ts'
import { type Conduct, ModelNetwork } from './model-network.ts'

function ran(seed: number, conduct: Conduct = {}, rounds = 450, operators = 7): StakingWorld {
  const world = slashingWorld({}, operators)
  new ModelNetwork(world, seed, conduct).run(rounds, hourMs + rounds)
  return world
}

const victim = 0

test('honest validators on slow and uneven lines never leave anybody out', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const world = slashingWorld({}, 7)
    new ModelNetwork(world, seed).run(200, hourMs / 2)
    assert.deepEqual(readLooked(world.state)!.looked, Array(7).fill(199))
    for (let place = 0; place < 7; place++) assert.deepEqual(readOmitted(world.state, place), [], `seed ${seed}`)
  }
})

test('nor do the real ones, through crashes, partitions, lost disks and liars', () => {
  for (const seed of [13, 18, 20, 105, 114]) {
    const state = new State()
    let parameters: Genesis['parameters'] | undefined
    let liars: readonly { readonly node: number }[] = []
    let index = 0
    const result = simulate(
      seed,
      {},
      line => {
        if (line.startsWith('{')) ({ parameters, liars } = JSON.parse(line))
      },
      (committee, commit, vertices) => {
        if (commit.index !== index + 1) return
        index = commit.index
        const { epoch, baseRound, validators } = committee
        for (const { publicKey, peerId } of validators) state.set(`operator/${publicKeyToText(publicKey)}`, peerId)
        const genesis = { parameters: parameters! } as Genesis
        const set = { epoch, baseRound, members: validators }
        noteOmissions({ state, genesis, nowMs: commit.timestampMs }, { commit, vertices, set })
      }
    )
    assert.equal(result.verdict, 'pass')
    const { operators, looked } = readLooked(state)!
    assert.ok(looked.some(count => count > 5))
    for (const [place, node] of operators.entries())
      if (!liars.some(liar => String(liar.node) === node))
        assert.deepEqual(readOmitted(state, place), [], `seed ${seed}`)
  }
})

test('whoever leaves one other out of its vertices loses a fifth and ninety days', () => {
  for (let seed = 1; seed <= 2; seed++) {
    const world = ran(seed, { leavesOut: (author, other) => author === offender && other === victim })
    const [punishment, ...others] = punishments(world)
    assert.deepEqual([others, punishment!.offence, punishment!.operator], [[], 'censorship', accountOf(operator)])
    assert.equal(punishment!.burntUnits, 20_000n * bly)
    assert.equal(punishment!.banUntilMs! - punishment!.timeMs, 90 * dayMs)
    const { evidence } = punishment!
    assert.ok(evidence.kind === 'omissions' && evidence.rounds >= 400 && evidence.leftOut[0]!.rounds >= 400)
    world.nextEpoch()
    assert.equal(isMember(world), false)
    world.check()
  }
})

test('it counts from a quarter of the rounds on, and from four hundred of them', () => {
  const everyThird = ran(1, { leavesOut: (author, _, round) => author === offender && round % 3 === 0 })
  assert.equal(punishments(everyThird).length, 1)
  const everyFifth = ran(1, { leavesOut: (author, _, round) => author === offender && round % 5 === 0 })
  assert.equal(punishments(everyFifth).length, 0)
  const few = slashingWorld({}, 7)
  const network = new ModelNetwork(few, 1, { leavesOut: (author, other) => author === offender && other === victim })
  network.run(250, hourMs + 250)
  assert.equal(punishments(few).length, 0)
  network.run(250, hourMs + 250)
  assert.equal(punishments(few).length, 1, 'what was counted stays until it is enough')
})

test('nobody can be framed: what was kept from a validator it could not name, and what came by others it names', () => {
  for (let seed = 1; seed <= 2; seed++) {
    // Two of seven, as many as may be faulty, show their vertices to everybody but one.
    const world = ran(seed, { withholds: (author, other) => author < 2 && other === offender })
    assert.deepEqual(punishments(world), [])
    assert.deepEqual(readOmitted(world.state, offender), [])
  }
})

test('a validator is not kept out on counts when too few would be left; it is when there is room again', () => {
  const censors = [1, 2, 3]
  const world = ran(1, { leavesOut: (author, other) => censors.includes(author) && other === victim })
  assert.equal(punishments(world).length, 2)
  world.nextEpoch()
  assert.equal(world.members.length, 5)
  world.commit(hourMs)
  assert.equal(punishments(world).length, 3)
})

test('what was counted stays with an operator when the set changes', () => {
  const world = slashingWorld({}, 7)
  new ModelNetwork(world, 1, { leavesOut: (author, other) => author === offender && other === victim }).run(300, 1000)
  const before = readLooked(world.state)!
  assert.equal(world.leave(operatorKey(1)), '')
  world.nextEpoch()
  const { operators, looked } = readLooked(world.state)!
  assert.deepEqual([operators.length, operators.indexOf(accountOf(operator))], [6, 1])
  assert.equal(looked[1], before.looked[offender])
  assert.ok(readOmitted(world.state, 1)[victim]! > 250)
})
