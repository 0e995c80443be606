import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { balanceOf, systemAccounts } from '../../src/ledger/book/book.ts'
import type { Contribution } from '../../src/ledger/gifted/impacts.ts'
import { partOfLimit } from '../../src/ledger/gifted/incentives.ts'
import { giftedPayment, giftingPeriod, noteGiftedObserved, valueOfGift } from '../../src/ledger/gifted/index.ts'
import { meterCoins } from '../../src/ledger/gifted/node.ts'
import { uptimeFactor } from '../../src/ledger/gifted/uptime.ts'
import { accountOf } from '../dag/small-network.ts'
import { beat, gift, giftedWorld, heartbeatMs, machine, nodeOf, periodMs } from './gifted-world.ts'
import { type LedgerWorld, operatorKey } from './ledger-world.ts'

type Texts = Record<(typeof meterCoins)[number], string>
type Vectors = {
  readonly cases: readonly {
    readonly contribution: Contribution
    readonly pointUnits: string
    readonly servedPpm: string
    readonly points: Record<string, number>
    readonly factorPpm: number
    readonly value: Texts
    readonly wanted: Texts
  }[]
  readonly payments: readonly {
    readonly wanted: readonly string[]
    readonly allowed: string
    readonly paid: readonly string[]
  }[]
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/gifting.json', import.meta.url), 'utf8')) as Vectors

test('what a gifted node earns is what was computed apart from this code, in exact fractions', () => {
  assert.ok(vectors.cases.length > 80)
  for (const { contribution, pointUnits, servedPpm, points, factorPpm, value, wanted } of vectors.cases) {
    const price = { pointUnits: BigInt(pointUnits), servedPpm: BigInt(servedPpm) }
    const found = valueOfGift(contribution, price)
    assert.deepEqual({ ...found.points }, points)
    assert.equal(found.factorPpm, factorPpm)
    for (const coin of meterCoins) {
      assert.equal(found.value[coin].toString(), value[coin], coin)
      assert.equal(found.wanted[coin].toString(), wanted[coin], coin)
    }
  }
})

test('where the limit of the year is short all get the same part of what they earned', () => {
  for (const { wanted, allowed, paid } of vectors.payments) {
    const all = wanted.reduce((sum, one) => sum + BigInt(one), 0n)
    const found = wanted.map(one => partOfLimit(BigInt(one), BigInt(allowed), all).toString())
    assert.deepEqual(found, paid)
    assert.ok(found.reduce((sum, one) => sum + BigInt(one), 0n) <= (all < BigInt(allowed) ? all : BigInt(allowed)))
  }
})

test('no promise pays more than the true one', () => {
  for (const uptime of [0, 1, 400_000, 950_000, 1_000_000]) {
    const honest = uptimeFactor(uptime, uptime)
    for (let promised = 0; promised <= 1_000_000; promised += 12_500)
      assert.ok(uptimeFactor(uptime, promised) <= honest, `${uptime} ${promised}`)
  }
})

/** Whole periods of heartbeats, one for each minute. */
function livePeriod(world: LedgerWorld, keys: Parameters<typeof beat>[1]): void {
  beat(world, keys, periodMs / heartbeatMs)
}

test('a period pays the node and its gifter out of what is not issued, with every number it comes from', () => {
  const world = giftedWorld()
  const gifter = operatorKey(1)
  const key = gift(world, 'a', { gifter, sharePpm: 250_000 })
  const before = meterCoins.map(coin => world.balance(gifter, coin))
  const unissued = meterCoins.map(coin => world.balance(systemAccounts.unissued, coin))
  livePeriod(world, [key])
  const payment = giftedPayment(world.state, accountOf(key))!
  assert.equal(payment.period, 1)
  assert.deepEqual(payment.contribution.resources, machine)
  assert.deepEqual(
    [payment.contribution.uptimePpm, payment.judgedBy, payment.factorPpm],
    [1_000_000, 'heartbeats', 900_000]
  )
  // 120 points of governance, promised 90%, 0.01 AUR each: 1.08 AUR, of which 10% is paid in GEN at 1000 AUR each.
  assert.equal(payment.points.GEN, 120)
  assert.equal(payment.value.GEN, '1080000000')
  assert.equal(payment.wanted.GEN, '108000')
  const summary = giftingPeriod(world.state, 1)!
  for (const [place, coin] of meterCoins.entries()) {
    const paid = BigInt(payment.paid[coin])
    const forGifter = BigInt(payment.forGifter[coin])
    assert.ok(paid > 0n && paid <= BigInt(payment.wanted[coin]))
    assert.equal(forGifter, paid / 4n)
    assert.equal(world.balance(key, coin), paid - forGifter)
    assert.equal(world.balance(gifter, coin) - before[place]!, forGifter)
    assert.equal(unissued[place]! - world.balance(systemAccounts.unissued, coin), paid)
    assert.deepEqual([summary.paid[coin], summary.wanted[coin]], [payment.paid[coin], payment.wanted[coin]])
    const again = valueOfGift(payment.contribution, {
      pointUnits: BigInt(summary.pointUnits),
      servedPpm: BigInt(summary.servedPpm)
    })
    assert.equal(again.wanted[coin].toString(), payment.wanted[coin])
  }
  assert.deepEqual(nodeOf(world, key).vouchedMs, 0)
  world.requireConserved()
})

test('whoever keeps less than was promised earns less, by the share of what was kept', () => {
  const world = giftedWorld()
  const [kept, missed] = [gift(world, 'a'), gift(world, 'b')]
  // The second is silent in the second half: its last heartbeat vouches for two and a half minutes more.
  beat(world, [kept, missed], 5)
  beat(world, [kept], 5)
  const [first, second] = [kept, missed].map(key => giftedPayment(world.state, accountOf(key))!)
  assert.equal(second!.contribution.uptimePpm, 750_000)
  assert.equal(second!.factorPpm, 625_000)
  for (const coin of meterCoins) assert.ok(BigInt(second!.wanted[coin]) < BigInt(first!.wanted[coin]))
  world.requireConserved()
})

test('what a quorum of validators saw counts where it is less than the heartbeats say', () => {
  const world = giftedWorld()
  const key = gift(world, 'a')
  beat(world, [key], 4)
  for (const isReachable of [true, true, true, false]) noteGiftedObserved(world.state, accountOf(key), isReachable)
  beat(world, [key], 6)
  const { contribution, judgedBy } = giftedPayment(world.state, accountOf(key))!
  assert.deepEqual([contribution.uptimePpm, judgedBy], [750_000, 'observations'])
})

test('who comes late in a period is paid for the time that it was there', () => {
  const world = giftedWorld()
  const early = gift(world, 'a')
  beat(world, [early], 5)
  const late = gift(world, 'b')
  beat(world, [early, late], 5)
  const [first, second] = [early, late].map(key => giftedPayment(world.state, accountOf(key))!)
  assert.deepEqual([second!.contribution.spanMs, second!.contribution.uptimePpm], [periodMs / 2, 1_000_000])
  assert.equal(BigInt(second!.value.FLX), BigInt(first!.value.FLX) / 2n)
})

test('a machine that has less than claimed counts as what it has, and what it claims not as more', () => {
  const world = giftedWorld()
  const boasts = gift(world, 'a', { claimed: { ...machine, cores: 64, memoryBytes: 2 ** 40 } })
  const modest = gift(world, 'b', { claimed: { ...machine, cores: 1 } })
  livePeriod(world, [boasts, modest])
  assert.deepEqual(giftedPayment(world.state, accountOf(boasts))!.contribution.resources, machine)
  assert.equal(giftedPayment(world.state, accountOf(modest))!.contribution.resources.cores, 1)
})

test('no year gives more of a coin than its limit, however much is earned', () => {
  const world = giftedWorld({ parameters: { giftedPointUnits: '1000000000000', giftedPerYearPpm: '1000' } })
  const key = gift(world, 'a')
  const before = meterCoins.map(coin => world.balance(systemAccounts.unissued, coin))
  for (let period = 0; period < 5; period++) livePeriod(world, [key])
  const elapsedMs = BigInt(world.nowMs - world.genesis.timeMs)
  for (const [place, coin] of meterCoins.entries()) {
    const issued = before[place]! - balanceOf(world.state, systemAccounts.unissued, coin)
    const limit = ((before[place]! / 1000n) * elapsedMs) / (365n * 24n * 3_600_000n)
    assert.ok(issued <= limit && issued > limit - 10n, `${coin}: ${issued} of ${limit}`)
  }
  world.requireConserved()
})

test('a retired node leaves nothing behind, and is not paid for the period it left', () => {
  const world = giftedWorld()
  const key = gift(world, 'a')
  livePeriod(world, [key])
  const balance = world.balance(key, 'FLX')
  beat(world, [key], 3)
  world.apply(key, 'gifted-retire', { account: accountOf(key) })
  livePeriod(world, [])
  assert.equal(world.balance(key, 'FLX'), balance)
  assert.equal(giftedPayment(world.state, accountOf(key)), undefined)
  world.requireConserved()
})
