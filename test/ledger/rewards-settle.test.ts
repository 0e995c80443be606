import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { budgetOf, scaled } from '../../src/ledger/rewards/budget.ts'
import { readSettlement } from '../../src/ledger/rewards/history.ts'
import { payOperator } from '../../src/ledger/rewards/payout.ts'
import { noteOffence } from '../../src/ledger/slashing/offence-counts.ts'
import { readPool } from '../../src/ledger/staking/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, rich, vertexAt } from './ledger-world.ts'

const plenty = (10n ** 18n).toString()
const operators = [0, 1, 2, 3].map(place => accountOf(operatorKey(place)))

/** A world whose period of a minute has just been settled, with one commit a second. */
function settled(parameters: Record<string, string>, signersAt: (second: number) => readonly number[]): LedgerWorld {
  const world = new LedgerWorld({ parameters: { periodMs: '60000', ...parameters } })
  for (let second = 1; second <= 60; second++) world.commit(1000, signersAt(second))
  assert.ok(readSettlement(world.state, 1) !== undefined)
  return world
}

test('everybody there, fast and right: 1000 x 2 x 1.1 x 1.2 for each, and every coin accounted for', () => {
  const world = settled({ rewardDayUnits: plenty }, () => [0, 1, 2, 3])
  const settlement = readSettlement(world.state, 1)!
  for (const row of settlement.validators) {
    assert.equal(row.rewardUnits, 2640n * bly)
    assert.equal(row.paidUnits, 2640n * bly)
  }
  assert.deepEqual(
    settlement.validators.map(row => row.operator),
    operators
  )
  assert.equal(world.balance('@earned'), 4n * 2640n * bly)
  // 5% commission to the operator, the rest by shares to whoever has bonded.
  assert.equal(readPool(world.state, operators[0]!)!.commissionUnits, 132n * bly)
  world.requireConserved()
})

test('half the rounds, half the time: participation and uptime both count, slowness and a wrong vote cost their bonus', () => {
  const world = new LedgerWorld({ parameters: { periodMs: '60000', rewardDayUnits: plenty } })
  for (let round = 1; round <= 60; round++) {
    world.nowMs += 1000
    const signers = round <= 30 ? [0, 1, 2, 3] : [0, 1, 2]
    world.commitVertices(
      round,
      signers.map(place => vertexAt(round, place, world.nowMs + (place === 2 ? 100 : 0)))
    )
  }
  const { validators, rounds, spanMs } = readSettlement(world.state, 1)!
  assert.deepEqual([rounds, spanMs], [60, 59_000])
  const [first, , slow, gone] = validators
  assert.equal(first!.rewardUnits, 2640n * bly)
  // 100 ms on average is not less than 100 ms; while only three are there, it is the second of them who sets the time.
  assert.equal(slow!.work.lateMsTotal, slow!.work.roundsMeasured * 100)
  assert.equal(slow!.rewardUnits, 2400n * bly)
  // Present until its newest vertex is 8 rounds old: 29 + 8 of 59 seconds.
  assert.equal(gone!.rewardUnits, (1000n * bly * 30n * (59n + 37n) * 132n) / (60n * 59n * 100n))
})

test('a punishment costs the bonus and what was burnt, never more than was earned', () => {
  const world = new LedgerWorld({ parameters: { periodMs: '60000', rewardDayUnits: plenty } })
  noteOffence(world.state, operators[1]!, 1, 100n * bly)
  noteOffence(world.state, operators[2]!, 1, 10_000n * bly)
  for (let second = 1; second <= 60; second++) world.commit(1000)
  assert.deepEqual(
    readSettlement(world.state, 1)!.validators.map(row => row.paidUnits / bly),
    [2640n, 2100n, 0n, 2640n]
  )
  world.requireConserved()
})

test('more than the day allows is shared in proportion, rounded down, and the fraction is written down', () => {
  const world = settled({ rewardDayUnits: (144_000n * bly).toString() }, second =>
    second > 30 ? [0, 1, 2] : [0, 1, 2, 3]
  )
  const { budget, validators } = readSettlement(world.state, 1)!
  assert.equal(budget.dayUnits, 100n * bly)
  assert.equal(budget.validators.paid, 100n * bly)
  assert.equal(
    budget.validators.wanted,
    validators.reduce((sum, row) => sum + row.rewardUnits, 0n)
  )
  for (const row of validators)
    assert.equal(row.paidUnits, (row.rewardUnits * budget.validators.paid) / budget.validators.wanted)
  const paid = validators.reduce((sum, row) => sum + row.paidUnits, 0n)
  assert.ok(paid <= 100n * bly && paid > 100n * bly - 4n)
  assert.equal(world.balance('@earned'), paid)
  world.requireConserved()
})

test('an empty pool is filled by issuing what the year allows until now, and no more is paid than that', () => {
  const world = new LedgerWorld({ parameters: { periodMs: '60000', rewardDayUnits: plenty } })
  const pool = world.balance('@reward-pool')
  world.state.delete('balance/@reward-pool/BLY')
  world.state.set('balance/@unissued/BLY', (world.balance('@unissued') + pool).toString())
  world.requireConserved()
  for (let second = 1; second <= 60; second++) world.commit(1000)
  const { budget, validators } = readSettlement(world.state, 1)!
  assert.equal(budget.poolUnits, 0n)
  // A tenth of what circulates in a year, for a minute.
  const circulating = 10n ** 18n - world.balance('@unissued') - budget.issuedUnits
  assert.ok(circulating > 0n)
  assert.ok(budget.issuedUnits > 0n && budget.issuedUnits < 10n * bly)
  assert.equal(budget.validators.paid, budget.issuedUnits)
  assert.ok(validators.every(row => row.paidUnits > 0n && row.paidUnits < row.rewardUnits))
  assert.ok(world.balance('@reward-pool') < 4n)
  world.requireConserved()
})

test('a network that stood still for a day pays one period for it, not a day', () => {
  const world = settled({ rewardDayUnits: (144_000n * bly).toString() }, () => [0, 1, 2, 3])
  world.commit(24 * 3_600_000)
  const { budget, untilMs, sinceMs } = readSettlement(world.state, 2)!
  assert.equal(untilMs - sinceMs, 24 * 3_600_000)
  assert.equal(budget.dayUnits, 100n * bly)
})

test('settlements of 64 periods are kept, and counting begins anew with each', () => {
  const world = new LedgerWorld({ parameters: { periodMs: '1000' } })
  for (let second = 1; second <= 70; second++) world.commit(1000, second === 69 ? [0, 1, 2] : [0, 1, 2, 3])
  assert.equal(readSettlement(world.state, 6), undefined)
  assert.ok(readSettlement(world.state, 7) !== undefined)
  assert.deepEqual(
    readSettlement(world.state, 69)!.validators.map(row => row.work.committed),
    [1, 1, 1, 0]
  )
  assert.equal(readSettlement(world.state, 70)!.validators[3]!.work.committed, 1)
  assert.equal(readSettlement(world.state, 71), undefined)
  world.requireConserved()
})

test('whose pool is gone by the end of the period is paid into its account', () => {
  const world = new LedgerWorld()
  assert.equal(readPool(world.state, accountOf(rich)), undefined)
  payOperator(world.state, accountOf(rich), 7n)
  assert.equal(world.balance(rich), 1_000_000n * bly + 7n)
  assert.equal(world.balance('@earned'), 0n)
  world.requireConserved()
})

test('however much is wanted, no more is paid than the day allows and the pool has, and nobody is paid too much', () => {
  const world = new LedgerWorld({ parameters: { periodMs: '60000' } })
  const { state, genesis } = world
  const input = { state, genesis, nowMs: world.nowMs }
  const units = fc.bigInt({ min: 0n, max: 10n ** 16n })
  fc.assert(
    fc.property(
      fc.array(units, { maxLength: 8 }),
      fc.array(units, { maxLength: 8 }),
      fc.nat(120_000),
      (one, other, length) => {
        const sum = (rewards: readonly bigint[]): bigint => rewards.reduce((total, reward) => total + reward, 0n)
        const wanted = { validators: sum(one), experts: sum(other) }
        const period = { number: 1, sinceMs: world.nowMs - length, untilMs: world.nowMs }
        const { dayUnits, poolUnits, issuedUnits, validators, experts } = budgetOf(input, period, wanted)
        const paid = validators.paid + experts.paid
        const most = [wanted.validators + wanted.experts, dayUnits, poolUnits + issuedUnits]
        assert.ok(most.every(limit => paid <= limit))
        assert.ok(most.some(limit => paid === limit))
        assert.ok(dayUnits <= (100_000n * bly) / 1440n)
        for (const [rewards, scale] of [
          [one, validators],
          [other, experts]
        ] as const) {
          const shares = rewards.map(reward => scaled(reward, scale))
          assert.ok(sum(shares) <= scale.paid && scale.paid - sum(shares) <= BigInt(rewards.length))
          assert.ok(shares.every((share, at) => share <= rewards[at]!))
        }
      }
    )
  )
})
