import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemAccounts } from '../../../src/ledger/book/book.ts'
import { undoPunishment } from '../../../src/ledger/slashing/index.ts'
import { bly } from '../ledger-world.ts'
import type { StakingWorld } from '../staking-world.ts'
import { dayMs, hourMs, isMember, operator, punishments, slashingWorld } from './accused.ts'

/** Hours with a commit every ten minutes, by these members. */
function hours(world: StakingWorld, count: number, signers?: readonly number[]): void {
  for (let at = 0; at < count * 6; at++) world.commit(hourMs / 6, signers)
}

const others = [0, 1, 3]
// A commit every ten minutes is a network that does not stand still.
const heartbeat = 120_000
const world = (parameters: Record<string, string> = {}, operators = 4): StakingWorld => {
  const made = slashingWorld(parameters, operators)
  Object.assign(made.genesis, { parameters: { ...made.genesis.parameters, heartbeatMs: heartbeat } })
  return made
}

test('away for longer than a day: out of the set, a thousandth for the day', () => {
  const network = world()
  hours(network, 2)
  hours(network, 24, others)
  assert.equal(punishments(network).length, 0)
  hours(network, 2, others)
  const [punishment] = punishments(network)
  assert.deepEqual([punishment!.offence, punishment!.penaltyPpm], ['downtime', 1000])
  assert.equal(punishment!.evidence.kind === 'absence' && punishment!.evidence.days, 1)
  assert.equal(network.pool(operator)!.stakeUnits, 99_900n * bly)
  network.nextEpoch()
  assert.equal(isMember(network), false)
  network.check()
})

test('each further day costs as much, until it is let back in', () => {
  const network = world()
  hours(network, 27, others)
  network.nextEpoch()
  hours(network, 50)
  const [punishment] = punishments(network)
  assert.equal(punishment!.penaltyPpm, 3000)
  // 0.1% of what was there each day: 100 000, 99 900 and 99 800.1 BLY.
  assert.equal(punishment!.burntUnits, 100n * bly + 99_900_000_000n + 99_800_100_000n)
  assert.equal(network.apply(operator, 'operator-unjail', {}), '')
  network.nextEpoch()
  assert.equal(isMember(network), true)
  hours(network, 50)
  assert.deepEqual([punishments(network).length, punishments(network)[0]!.penaltyPpm], [1, 3000])
  network.check()
})

test('whoever is let back in has a day again before it is away', () => {
  const network = world()
  hours(network, 27, others)
  network.nextEpoch()
  hours(network, 5)
  assert.equal(network.apply(operator, 'operator-unjail', {}), '')
  network.nextEpoch()
  // It is in the set, last of four, and never comes.
  hours(network, 23, [0, 1, 2])
  assert.equal(punishments(network).length, 1)
  hours(network, 3, [0, 1, 2])
  assert.equal(punishments(network).length, 2)
})

test('no absence costs more than thirty days', () => {
  const network = world()
  hours(network, 27, others)
  network.nextEpoch()
  for (let day = 0; day < 40; day++) hours(network, 24)
  assert.equal(punishments(network)[0]!.penaltyPpm, 30_000)
})

test('one vertex an hour is enough to be there', () => {
  const network = world()
  for (let hour = 0; hour < 60; hour++) {
    network.commit(hourMs / 2, others)
    network.commit(hourMs / 2)
  }
  assert.equal(punishments(network).length, 0)
})

test('a network that stood still for two days was away from nobody', () => {
  const network = world()
  hours(network, 2)
  network.commit(2 * dayMs, others)
  hours(network, 20, others)
  assert.equal(punishments(network).length, 0)
  hours(network, 6, others)
  const { evidence } = punishments(network)[0]!
  assert.ok(evidence.kind === 'absence' && evidence.awayMs < 26 * hourMs, JSON.stringify(evidence))
})

test('of many that are away no more are kept out than leaves a quorum', () => {
  const network = world({}, 7)
  // Four of seven are no quorum: in life nothing would be committed at all.
  hours(network, 60, [0, 1, 2, 3])
  assert.equal(punishments(network).length, 2)
  network.nextEpoch()
  assert.equal(network.members.length, 5)
  hours(network, 60, [0, 1, 2, 3])
  assert.equal(network.members.length, 5)
  assert.equal(punishments(network).length, 3)
})

test('an appeal repays all the days', () => {
  const network = world()
  hours(network, 27, others)
  network.nextEpoch()
  hours(network, 50)
  const burnt = punishments(network)[0]!.burntUnits
  const before = network.balance(systemAccounts.treasury)
  undoPunishment(network.state, network.genesis, '1')
  assert.equal(network.balance(systemAccounts.treasury), before - burnt)
  assert.equal(network.pool(operator)!.stakeUnits, 100_000n * bly)
  network.nextEpoch()
  assert.equal(isMember(network), true)
  hours(network, 24)
  assert.equal(punishments(network)[0]!.burntUnits, burnt)
  network.check()
})
