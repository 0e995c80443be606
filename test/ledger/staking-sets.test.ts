import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wantedSet } from '../../src/dag/index.ts'
import { move, systemAccounts } from '../../src/ledger/book/book.ts'
import {
  forceNextEpoch,
  jail,
  memberOperators,
  operatorOf,
  poolOperators,
  requireMemberOperator
} from '../../src/ledger/staking/index.ts'
import { emptyPool } from '../../src/ledger/staking/operator-events.ts'
import { listPool, writePool } from '../../src/ledger/staking/pool-records.ts'
import { accountOf } from '../dag/small-network.ts'
import { rich, validatorKey } from './ledger-world.ts'
import { bly, keyOf, operatorKey, StakingWorld, text, unbondingMs } from './staking-world.ts'

const periodMs = 60_000

test('a validator joins with enough stake of its own, and unbonds for a time when it leaves', () => {
  const world = new StakingWorld()
  assert.equal(world.join(rich, 'fifth'), '')
  assert.equal(world.nextEpoch(), false, 'without stake nothing changes')
  assert.equal(world.stake(rich, rich, 9_999n), '')
  assert.equal(world.stake(operatorKey(1), rich, 50_000n), '')
  assert.equal(world.nextEpoch(), false, 'stake of others does not count as its own')
  assert.equal(world.stake(rich, rich, 1n), '')
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['v0', 'v1', 'v2', 'v3', 'fifth'])
  assert.equal(world.pool(rich)!.status, 'bonded')
  assert.equal(requireMemberOperator(world.state, world.genesis, accountOf(rich)).name, 'fifth')
  assert.equal(world.leave(rich), '')
  assert.equal(world.leave(rich), 'OPERATOR_LEAVING_ALREADY')
  assert.equal(world.stake(rich, rich, 1n), 'STAKE_NOT_TAKEN')
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['v0', 'v1', 'v2', 'v3'])
  assert.equal(world.pool(rich)!.status, 'unbonding')
  assert.throws(() => requireMemberOperator(world.state, world.genesis, accountOf(rich)), {
    code: 'OPERATOR_NOT_MEMBER'
  })
  world.commit(unbondingMs)
  assert.equal(world.pool(rich)!.status, 'unbonded')
  assert.equal(world.unstake(rich, rich, 10_000n), '')
  assert.equal(world.unstake(operatorKey(1), rich, 50_000n), '')
  world.commit(unbondingMs)
  assert.equal(world.pool(rich), undefined, 'nothing is left of it')
  assert.equal(operatorOf(world.state, accountOf(keyOf('consensus fifth'))), undefined)
  world.check()
})

test('who leaves can come back before its stake is gone', () => {
  const world = new StakingWorld()
  world.leave(operatorKey(3))
  world.nextEpoch()
  assert.equal(world.names.length, 3)
  world.commit(86_400_000)
  assert.equal(world.join(operatorKey(3), 'back', { commissionBasisPoints: 550 }), '')
  world.nextEpoch()
  assert.deepEqual(world.names, ['v0', 'v1', 'v2', 'back'])
  assert.equal(
    operatorOf(world.state, accountOf(validatorKey(3))),
    accountOf(operatorKey(3)),
    'its old key is still its own'
  )
  world.check()
})

test('a set is never empty: when all leave at once it stays as it is', () => {
  const world = new StakingWorld()
  for (let place = 0; place < 4; place++) assert.equal(world.leave(operatorKey(place)), '')
  assert.equal(world.nextEpoch(), false)
  world.commit(periodMs)
  assert.equal(wantedSet(world.state), undefined)
  assert.equal(world.members.length, 4)
  world.commit(86_400_000)
  assert.equal(world.join(operatorKey(2), 'v2'), 'COMMISSION_RAISE_TOO_LARGE')
  assert.equal(world.join(operatorKey(2), 'v2', { commissionBasisPoints: 500 }), '')
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['v2'])
})

test('a jailed validator is out with the next set, and back when its time is over and its operator asks', () => {
  const world = new StakingWorld()
  const operator = operatorKey(2)
  const unjail = () => world.apply(operator, 'operator-unjail', {})
  assert.equal(unjail(), 'OPERATOR_NOT_JAILED')
  jail(world.state, { operator: accountOf(operator), untilMs: world.nowMs + 5000, reason: 'downtime' })
  assert.equal(memberOperators(world.state, world.genesis).length, 4, 'it stays until the epoch ends')
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['v0', 'v1', 'v3'])
  assert.equal(unjail(), 'OPERATOR_JAILED_STILL')
  world.unstake(operator, operator, 95_000n)
  world.commit(5000)
  assert.equal(unjail(), 'SELF_STAKE_TOO_LOW')
  world.stake(operator, operator, 5_000n)
  assert.equal(unjail(), '')
  world.nextEpoch()
  assert.deepEqual(world.names, ['v0', 'v1', 'v3', 'v2'])
  jail(world.state, { operator: accountOf(operator), untilMs: null, reason: 'double signing' })
  assert.equal(unjail(), 'OPERATOR_TOMBSTONED')
  assert.equal(world.join(operator, 'v2'), 'OPERATOR_TOMBSTONED')
  assert.equal(world.stake(rich, operator, 5n), 'STAKE_NOT_TAKEN')
  world.check()
})

test('the largest by stake are the set, and who is pushed out keeps its stake', () => {
  const world = new StakingWorld({ parameters: { validatorsMax: '4' } })
  world.join(rich, 'fifth')
  world.stake(rich, rich, 100_000n)
  assert.equal(world.nextEpoch(), false, 'of two alike the first stays')
  world.stake(operatorKey(0), rich, 1n)
  for (const place of [0, 1, 3]) world.stake(operatorKey(place), operatorKey(place), 2n)
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['v0', 'v1', 'v3', 'fifth'])
  assert.equal(world.pool(operatorKey(2))!.stakeUnits, 100_000n * bly)
})

test('weights by stake are taken over at the end of a period, never below 1 and never above a million in all', () => {
  const world = new StakingWorld({ weights: 'stake' })
  world.commit(periodMs)
  world.nextEpoch()
  assert.deepEqual(
    world.members.map(member => member.weight),
    [100, 100, 100, 100]
  )
  world.stake(rich, operatorKey(1), 50_500n)
  assert.equal(world.nextEpoch(), false, 'a weight alone waits')
  world.commit(periodMs)
  world.nextEpoch()
  assert.deepEqual(
    world.members.map(member => member.weight),
    [100, 150, 100, 100]
  )
  const heavy = new StakingWorld({ weights: 'stake', parameters: { weightUnits: '1' } })
  heavy.commit(periodMs)
  heavy.nextEpoch()
  assert.deepEqual(
    heavy.members.map(member => member.weight),
    [250_000, 250_000, 250_000, 250_000]
  )
  const light = new StakingWorld({ weights: 'stake', parameters: { weightUnits: text(1_000_000n) } })
  light.commit(periodMs)
  assert.deepEqual(
    light.members.map(member => member.weight),
    [1, 1, 1, 1]
  )
})

test('what a validator says of itself is in the set with the end of a period', () => {
  const world = new StakingWorld()
  assert.equal(world.apply(operatorKey(0), 'operator-edit', { name: 'renamed', website: 'https://example.org' }), '')
  assert.equal(world.nextEpoch(), false)
  world.commit(periodMs)
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['renamed', 'v1', 'v2', 'v3'])
})

test('an epoch can be asked for without another set, once', () => {
  const world = new StakingWorld()
  forceNextEpoch(world.state)
  world.commit(periodMs)
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['v0', 'v1', 'v2', 'v3'])
  assert.equal(world.nextEpoch(), false)
})

test('a rotated key takes the place of the old one, which can still be accused; keys of others cannot be taken', () => {
  const world = new StakingWorld()
  const operator = operatorKey(0)
  const rotate = (name: string, changes: Record<string, unknown> = {}) => {
    const { key, proof } = world.joinPayload(operator, name)
    return world.apply(operator, 'operator-rotate', { key, proof, ...changes })
  }
  const taken = accountOf(validatorKey(1))
  assert.equal(rotate('new', { key: taken }), 'OPERATOR_KEY_TAKEN')
  assert.equal(rotate('new', { key: accountOf(validatorKey(0)) }), 'OPERATOR_KEY_TAKEN')
  assert.equal(rotate('new', { proof: '00'.repeat(64) }), 'OPERATOR_PROOF_WRONG')
  assert.equal(rotate('lost'), '')
  assert.equal(rotate('new'), '', 'one that is not in use yet is replaced')
  assert.equal(operatorOf(world.state, accountOf(keyOf('consensus lost'))), undefined)
  assert.equal(world.nextEpoch(), true)
  assert.equal(accountOf(keyOf('consensus new')), world.pool(operator)!.key)
  assert.deepEqual(world.names, ['v0', 'v1', 'v2', 'v3'])
  assert.equal(operatorOf(world.state, accountOf(validatorKey(0))), accountOf(operator))
  const { peerId, peerProof } = world.joinPayload(operator, 'other node')
  assert.equal(rotate('newer', { peerId }), 'OPERATOR_PROOF_WRONG')
  assert.equal(rotate('newer', { peerId, peerProof }), '')
  for (let count = 0; count < 40; count++) rotate(`flood ${count}`)
  assert.equal(
    operatorOf(world.state, accountOf(validatorKey(0))),
    accountOf(operator),
    'a flood of keys hides no old one'
  )
  world.nextEpoch()
  assert.equal(world.members[0]!.peerId, peerId)
})

test('of too many operators the one with the least stake goes, and no member', () => {
  const world = new StakingWorld()
  const strangers = Array.from({ length: 508 }, (_, place) => keyOf(`stranger ${place}`))
  for (const [place, key] of strangers.entries()) {
    const pool = emptyPool(accountOf(key), accountOf(keyOf(`k ${place}`)), `peer of ${place}`, world.nowMs)
    const units = 20_000n * bly + BigInt(place)
    const made = { ...pool, stakeUnits: units, shareUnits: units }
    writePool(world.state, made)
    listPool(world.state, made, true)
  }
  assert.equal(poolOperators(world.state).length, 512)
  world.join(rich, 'late')
  assert.equal(world.stake(rich, rich, 20_000n), 'OPERATORS_FULL')
  assert.equal(world.pool(rich)!.stakeUnits, 0n)
  assert.equal(world.stake(rich, rich, 20_001n), '')
  assert.equal(poolOperators(world.state).length, 512)
  assert.equal(world.pool(strangers[0]!)!.isListed, false)
  for (let place = 0; place < 4; place++) assert.equal(world.pool(operatorKey(place))!.isListed, true)
})

test('an operator that never staked is forgotten after the unbonding time', () => {
  const world = new StakingWorld()
  world.join(rich, 'idle')
  world.commit(unbondingMs - 1)
  assert.notEqual(world.pool(rich), undefined)
  world.commit(1)
  assert.equal(world.pool(rich), undefined)
  assert.equal(world.join(rich, 'idle'), '')
  world.stake(rich, rich, 5n)
  world.commit(unbondingMs)
  assert.notEqual(world.pool(rich), undefined)
})

test('a validator whose stake is all taken out is forgotten only when nobody has anything to claim', () => {
  const world = new StakingWorld()
  world.join(rich, 'short')
  world.stake(rich, rich, 10_000n)
  world.nextEpoch()
  world.unstake(rich, rich, 10_000n)
  assert.equal(world.nextEpoch(), true)
  move(world.state, systemAccounts.rewardPool, systemAccounts.earned, 'BLY', 7n)
  writePool(world.state, { ...world.pool(rich)!, commissionUnits: 7n })
  world.commit(unbondingMs)
  world.commit(unbondingMs)
  assert.notEqual(world.pool(rich), undefined)
  assert.equal(world.claim(rich, rich), '')
  assert.equal(world.pool(rich), undefined)
  world.check()
})
