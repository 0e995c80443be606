import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeEvidence, readEpoch } from '../../../src/dag/index.ts'
import { systemAccounts } from '../../../src/ledger/book/book.ts'
import { periodNow } from '../../../src/ledger/economy.ts'
import { offencesIn, undoPunishment } from '../../../src/ledger/slashing/index.ts'
import { accountOf, keyOf } from '../../dag/small-network.ts'
import { bly, operatorKey, poor, rich, validatorKey } from '../ledger-world.ts'
import { text } from '../staking-world.ts'
import { dayMs, isMember, offender, operator, punishments, signedHeader, slashingWorld, twice } from './accused.ts'

const evidence = 'evidence'
const honest = operatorKey(0)

test('signing twice costs a tenth of the stake at once, burnt, and thirty days', () => {
  const world = slashingWorld()
  world.commit(1000)
  const { burnt, treasury } = systemAccounts
  const before = { burnt: world.balance(burnt), treasury: world.balance(treasury), reporter: world.balance(honest) }
  assert.equal(world.applyPayload(honest, evidence, twice(world)), '')
  assert.equal(world.pool(operator)!.stakeUnits, 90_000n * bly)
  assert.equal(world.balance(burnt), before.burnt + 10_000n * bly)
  assert.deepEqual([world.balance(treasury), world.balance(honest)], [before.treasury, before.reporter])
  const [punishment] = punishments(world)
  assert.equal(punishment!.banUntilMs, world.nowMs + 30 * dayMs)
  assert.deepEqual(
    [punishment!.offence, punishment!.operator, punishment!.penaltyPpm, punishment!.burntUnits, punishment!.isUndone],
    ['double-signing', accountOf(operator), 100_000, 10_000n * bly, false]
  )
  assert.equal(world.nextEpoch(), true)
  assert.equal(isMember(world), false)
  world.check()
})

test('it can come back after the ban and not before', () => {
  const world = slashingWorld()
  world.applyPayload(honest, evidence, twice(world))
  world.nextEpoch()
  world.commit(29 * dayMs)
  assert.equal(world.apply(operator, 'operator-unjail', {}), 'OPERATOR_JAILED_STILL')
  world.commit(dayMs)
  assert.equal(world.apply(operator, 'operator-unjail', {}), '')
  world.nextEpoch()
  assert.equal(isMember(world), true)
})

test('one punishment for an epoch and a key, whatever rounds it is proven for', () => {
  const world = slashingWorld()
  assert.equal(world.applyPayload(honest, evidence, twice(world)), '')
  assert.equal(world.applyPayload(honest, evidence, twice(world)), 'EVIDENCE_KNOWN')
  assert.equal(world.applyPayload(operatorKey(1), evidence, twice(world, { round: 8 })), 'EVIDENCE_KNOWN')
  assert.equal(world.pool(operator)!.stakeUnits, 90_000n * bly)
  assert.equal(punishments(world).length, 1)
})

test('what was signed twice in two epochs is punished for each; before it was put out it is no relapse', () => {
  const world = slashingWorld()
  world.applyPayload(operatorKey(1), evidence, twice(world, { author: 1 }, validatorKey(1)))
  world.nextEpoch()
  assert.equal(readEpoch(world.state, world.genesis).epoch, 1)
  const place = world.members.findIndex(
    member => Buffer.compare(member.publicKey, validatorKey(offender).publicKey) === 0
  )
  assert.equal(world.applyPayload(honest, evidence, twice(world, { epoch: 1, author: place })), '')
  assert.equal(world.applyPayload(honest, evidence, twice(world)), '')
  assert.equal(world.pool(operator)!.isTombstoned, false)
  assert.equal(world.pool(operator)!.stakeUnits, 81_000n * bly)
})

test('whoever signs twice again within a year never comes back, and nothing more is taken of it', () => {
  const world = slashingWorld()
  world.applyPayload(honest, evidence, twice(world))
  world.nextEpoch()
  world.commit(31 * dayMs)
  assert.equal(world.apply(operator, 'operator-unjail', {}), '')
  world.nextEpoch()
  const { epoch } = readEpoch(world.state, world.genesis)
  const author = world.members.findIndex(
    member => Buffer.compare(member.publicKey, validatorKey(offender).publicKey) === 0
  )
  assert.equal(world.applyPayload(honest, evidence, twice(world, { epoch, author })), '')
  assert.equal(world.pool(operator)!.isTombstoned, true)
  assert.equal(punishments(world)[1]!.banUntilMs, null)
  const { stakeUnits } = world.pool(operator)!
  world.nextEpoch()
  world.commit(400 * dayMs)
  assert.equal(world.apply(operator, 'operator-unjail', {}), 'OPERATOR_TOMBSTONED')
  assert.equal(world.applyPayload(honest, evidence, twice(world, { epoch: 1, author: offender }, validatorKey(3))), '')
  assert.equal(world.pool(operator)!.stakeUnits, stakeUnits)
  world.check()
})

test('stake that began to leave after the offence is burnt too, what left before is not', () => {
  const world = slashingWorld({ periodMs: '60000', unbondingMs: '600000' })
  assert.equal(world.stake(rich, operator, 100_000n), '')
  for (let minute = 0; minute < 3; minute++) world.commit(60_000)
  assert.equal(world.unstake(rich, operator, 40_000n), '')
  for (let minute = 0; minute < 3; minute++) world.commit(60_000)
  const signedAt = world.round
  world.commit(1000)
  assert.equal(world.unstake(rich, operator, 40_000n), '')
  const burnt = world.balance(systemAccounts.burnt)
  assert.equal(world.applyPayload(honest, evidence, twice(world, { round: signedAt })), '')
  // A tenth of 100 000 of its own, of 20 000 that stayed and of the 40 000 that left too late.
  assert.equal(world.balance(systemAccounts.burnt) - burnt, 16_000n * bly)
  world.check()
})

test('each piece of evidence that proves nothing has its own code, and nothing moves', () => {
  const world = slashingWorld()
  const { headerBytes } = signedHeader(world)
  const root = world.state.root()
  const refusals = {
    EVIDENCE_KEY_WRONG: twice(world, {}, keyOf('stranger')),
    EVIDENCE_EPOCH_UNKNOWN: twice(world, { epoch: 5 }),
    EVIDENCE_INVALID: encodeEvidence(signedHeader(world), signedHeader(world, { round: 8 }))
  }
  for (const [code, payload] of Object.entries(refusals))
    assert.equal(world.applyPayload(honest, evidence, payload), code)
  assert.equal(world.applyPayload(honest, evidence, twice(world, { author: 9 })), 'EVIDENCE_INVALID')
  assert.equal(world.applyPayload(honest, evidence, headerBytes), 'EVIDENCE_INVALID')
  assert.equal(world.state.root(), root)
})

test('evidence is free for operators; others pay the fee, and cannot bring it without', () => {
  const world = slashingWorld({ feeUnits: '1000000' })
  const before = world.balance(honest)
  assert.equal(world.applyPayload(poor, evidence, twice(world)), 'BALANCE_TOO_LOW')
  assert.equal(world.applyPayload(honest, evidence, twice(world)), '')
  assert.equal(world.balance(honest), before)
  const paid = world.balance(rich)
  assert.equal(world.applyPayload(rich, evidence, twice(world, { author: 1 }, validatorKey(1))), '')
  assert.equal(world.balance(rich), paid - 1_000_000n)
})

test('rewards are told of it for the period that runs, once', () => {
  const world = slashingWorld()
  const { number } = periodNow(world.state, world.genesis)
  world.applyPayload(honest, evidence, twice(world))
  assert.deepEqual(offencesIn(world.state, accountOf(operator), number), { count: 1, burntUnits: 10_000n * bly })
  world.commit(3_600_000)
  assert.deepEqual(offencesIn(world.state, accountOf(operator), number), { count: 0, burntUnits: 0n })
})

test('an appeal lifts the ban and repays what was burnt, to those who are bonded', () => {
  const world = slashingWorld()
  world.stake(rich, operator, 100_000n)
  world.applyPayload(honest, evidence, twice(world))
  world.nextEpoch()
  const treasury = world.balance(systemAccounts.treasury)
  undoPunishment(world.state, world.genesis, '1')
  assert.equal(world.balance(systemAccounts.treasury), treasury - 20_000n * bly)
  assert.equal(world.bonded(rich, operator), 100_000n * bly)
  assert.deepEqual([punishments(world)[0]!.isUndone, punishments(world)[0]!.repaidUnits], [true, 20_000n * bly])
  assert.throws(() => undoPunishment(world.state, world.genesis, '1'), { code: 'PUNISHMENT_UNDONE' })
  assert.throws(() => undoPunishment(world.state, world.genesis, '2'), { code: 'PUNISHMENT_UNKNOWN' })
  world.nextEpoch()
  assert.equal(isMember(world), true)
  world.check()
})

test('a treasury that is short repays what it has', () => {
  const world = slashingWorld()
  world.commit(1000)
  const treasury = world.balance(systemAccounts.treasury)
  world.state.set(`balance/${systemAccounts.treasury}/BLY`, text(4000n))
  world.state.set(
    `balance/${systemAccounts.rewardPool}/BLY`,
    (world.balance(systemAccounts.rewardPool) + treasury - 4000n * bly).toString()
  )
  world.applyPayload(honest, evidence, twice(world))
  undoPunishment(world.state, world.genesis, '1')
  assert.equal(punishments(world)[0]!.repaidUnits, 4000n * bly)
  assert.equal(world.pool(operator)!.stakeUnits, 94_000n * bly)
  assert.equal(world.pool(operator)!.jailedUntilMs, null)
  world.check()
})
