import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { move, systemAccounts } from '../../src/ledger/book/book.ts'
import {
  addEarnings,
  entryUnits,
  jail,
  liftJail,
  slashPool,
  totalBonded,
  unbondingOf
} from '../../src/ledger/staking/index.ts'
import { isWorthless, lossOf, sharesFor, sharesToTake, worthOf } from '../../src/ledger/staking/shares.ts'
import { accountOf } from '../dag/small-network.ts'
import { rich } from './ledger-world.ts'
import { bly, operatorKey, StakingWorld, unbondingMs } from './staking-world.ts'

const first = operatorKey(0)
const slash = (world: StakingWorld, ppm: number, offenceMs: number, operator = first): bigint =>
  slashPool({ state: world.state }, { operator: accountOf(operator), ppm, offenceMs })

test('a slash burns the same part of what everybody has bonded, and nothing of who left before', () => {
  const world = new StakingWorld()
  world.stake(rich, first, 100_000n)
  world.commit(1000)
  world.unstake(rich, first, 50_000n)
  world.commit(20_000)
  const offenceMs = world.nowMs
  world.commit(1000)
  world.unstake(first, first, 20_000n)
  const burnt = slash(world, 100_000, offenceMs)
  assert.equal(burnt, ((130_000n + 20_000n) * bly) / 10n)
  assert.equal(world.balance(systemAccounts.burnt), burnt)
  assert.equal(world.bonded(rich, first), 45_000n * bly)
  assert.equal(world.bonded(first, first), 72_000n * bly)
  const [untouched] = unbondingOf(world.state, accountOf(rich))
  assert.equal(entryUnits(world.state, untouched!), 50_000n * bly)
  const [touched] = unbondingOf(world.state, accountOf(first))
  assert.equal(entryUnits(world.state, touched!), 18_000n * bly)
  const before = world.balance(first)
  world.commit(unbondingMs)
  assert.equal(world.balance(first) - before, 18_000n * bly)
  world.check()
})

test('stake that is taken out while its validator keeps its place still answers for it, until the set has changed', () => {
  const world = new StakingWorld()
  world.join(rich, 'fifth')
  world.stake(rich, rich, 10_000n)
  world.nextEpoch()
  world.unstake(rich, rich, 10_000n)
  world.commit(1000)
  // It is still in the set, and signs twice now.
  assert.equal(slash(world, 100_000, world.nowMs, rich), 1000n * bly)
  world.nextEpoch()
  assert.equal(world.names.includes('fifth'), false)
  world.commit(1000)
  assert.equal(slash(world, 100_000, world.nowMs, rich), 0n, 'it has left')
  world.check()
})

test('by weights of stake, what leaves answers until the weight has followed', () => {
  const world = new StakingWorld({ weights: 'stake' })
  world.stake(rich, first, 100_000n)
  world.commit(60_000)
  world.nextEpoch()
  world.unstake(rich, first, 100_000n)
  world.commit(1000)
  assert.equal(slash(world, 100_000, world.nowMs), 20_000n * bly)
  world.commit(60_000)
  world.nextEpoch()
  world.commit(1000)
  assert.equal(slash(world, 100_000, world.nowMs), 9000n * bly)
  world.check()
})

test('a whole pool can be lost: what is left is worth nothing, and nobody can buy into it', () => {
  const world = new StakingWorld()
  world.stake(rich, first, 10n)
  slash(world, 1_000_000, world.nowMs)
  assert.equal(world.bonded(rich, first), 0n)
  assert.equal(world.stake(rich, first, 10n), 'STAKE_NOT_TAKEN')
  assert.equal(world.unstake(rich, first, 1n), 'UNSTAKE_TOO_MUCH')
  assert.equal(totalBonded(world.state), 300_000n * bly)
  assert.equal(world.nextEpoch(), true)
  assert.deepEqual(world.names, ['v1', 'v2', 'v3'])
  world.check()
})

test('a jail that was undone is as if it had never been, also a tombstone; the longer of two stays', () => {
  const world = new StakingWorld()
  const operator = accountOf(first)
  jail(world.state, { operator, untilMs: 9_000_000_000_000, reason: 'one' })
  jail(world.state, { operator, untilMs: 5, reason: 'two' })
  assert.equal(world.pool(first)!.jailedUntilMs, 9_000_000_000_000)
  jail(world.state, { operator, untilMs: null, reason: 'three' })
  assert.equal(world.pool(first)!.isTombstoned, true)
  liftJail(world.state, operator)
  assert.deepEqual([world.pool(first)!.jailedUntilMs, world.pool(first)!.isTombstoned], [null, false])
  jail(world.state, { operator: 'nobody', untilMs: 5, reason: 'no such' })
  assert.equal(slashPool({ state: world.state }, { operator: 'nobody', ppm: 5, offenceMs: 0 }), 0n)
})

test('who buys in after a loss and takes out again has not gained, and the others have not lost', () => {
  const amount = fc.bigInt({ min: 1n, max: 10n ** 18n })
  fc.assert(
    fc.property(
      amount,
      amount,
      fc.array(fc.integer({ min: 0, max: 1_000_000 }), { maxLength: 4 }),
      (own, paid, losses) => {
        let pool = { units: own, shares: own }
        for (const ppm of losses) pool = { ...pool, units: pool.units - lossOf(pool, BigInt(ppm)) }
        fc.pre(!isWorthless(pool))
        const othersBefore = worthOf(pool, own)
        const bought = sharesFor(pool, paid)
        const both = { units: pool.units + paid, shares: pool.shares + bought }
        const back = worthOf(both, bought)
        assert.ok(back <= paid, 'value was made')
        assert.ok(worthOf(both, own) >= othersBefore, 'the others paid')
        assert.ok(worthOf(both, own) + back <= both.units)
        const part = back / 2n
        assert.ok(sharesToTake(both, part) <= bought, 'a part costs more than everything')
        assert.ok(worthOf(both, sharesToTake(both, part)) >= part)
      }
    )
  )
})

test('whatever is staked, taken out, cancelled, earned, claimed and slashed in any order: every unit is where it belongs', () => {
  const accounts = [rich, first, operatorKey(1), operatorKey(2)]
  const step = fc.record({
    what: fc.constantFrom(
      'stake',
      'unstake',
      'all',
      'cancel',
      'claim',
      'slash',
      'earn',
      'wait',
      'epoch',
      'leave',
      'join'
    ),
    who: fc.nat(accounts.length - 1),
    whom: fc.nat(2),
    coins: fc.bigInt({ min: 1n, max: 30_000n }),
    units: fc.bigInt({ min: 0n, max: 999_999_999n }),
    number: fc.integer({ min: 1, max: 6 })
  })
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 5, maxLength: 50 }),
      fc.constantFrom('equal' as const, 'stake' as const),
      (steps, weights) => {
        const world = new StakingWorld({ weights })
        for (const { what, who, whom, coins, units, number } of steps) {
          const account = accounts[who]!
          const operator = accounts[1 + whom]!
          const to = { operator: accountOf(operator) }
          if (what === 'stake' || what === 'unstake')
            world.apply(account, what, { ...to, amount: (coins * bly + units).toString() })
          else if (what === 'all') {
            const bonded = world.bonded(account, operator)
            if (bonded > 0n) world.apply(account, 'unstake', { ...to, amount: bonded.toString() })
          } else if (what === 'cancel') world.cancel(account, number)
          else if (what === 'claim') world.claim(account, operator)
          else if (what === 'slash') slash(world, Number(units % 300_000n), world.nowMs - Number(coins), operator)
          else if (what === 'earn') {
            move(world.state, systemAccounts.rewardPool, systemAccounts.earned, 'BLY', coins * units)
            addEarnings(world.state, { operator: accountOf(operator), units: coins * units })
          } else if (what === 'wait') world.commit(Number(coins) * 10)
          else if (what === 'epoch') world.nextEpoch()
          else if (what === 'leave') world.leave(operator)
          else world.join(operator, `again ${whom}`, { commissionBasisPoints: 10 })
          world.check()
        }
        world.commit(unbondingMs)
        assert.ok(world.members.length > 0)
        world.check()
      }
    ),
    { numRuns: 60 }
  )
})
