import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SigningKey } from '../../src/codec/index.ts'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { tierMultipliers } from '../../src/ledger/book/coins.ts'
import { type MeteredKind, meterCoins, quoteOf, tariffs } from '../../src/ledger/gifted/index.ts'
import { holdIdOf, readHold } from '../../src/ledger/holds/index.ts'
import { parameterOf } from '../../src/ledger/parameters.ts'
import { accountOf } from '../dag/small-network.ts'
import { beat, gift, giftedWorld, nodeOf, silentMs } from './gifted-world.ts'
import { type LedgerWorld, rich } from './ledger-world.ts'

const kinds = Object.keys(tariffs) as MeteredKind[]
const million = 1_000_000n

function priceOf(world: LedgerWorld, kind: MeteredKind, usage: { calls: number; amount: number }): bigint {
  return quoteOf(world.state, world.genesis, kind, usage).units
}

function quote(world: LedgerWorld, payee: SigningKey, kind: string, changes: Record<string, unknown> = {}): string {
  const service = { kind, calls: 5, amount: 3 }
  const { coin, units } = quoteOf(world.state, world.genesis, kind as MeteredKind, service)
  return world.apply(payee, 'hold-quote', { coin, amount: units.toString(), service, key: kind, ...changes })
}

test('each service is charged in the coin that the seed gives it, whatever has no coin of its own in Flux', () => {
  const world = giftedWorld()
  const found = Object.fromEntries(kinds.map(kind => [kind, tariffs[kind].coin]))
  assert.deepEqual(found, { transaction: 'FLX', consensus: 'GEN', storage: 'NEX', 'cross-border': 'AUR', other: 'FLX' })
  for (const kind of kinds) {
    const { coin, units, aurumUnits } = quoteOf(world.state, world.genesis, kind, { calls: 3, amount: 7 })
    const { callPrice, amountPrice } = tariffs[kind]
    const [call, amount] = [callPrice, amountPrice].map(name => parameterOf(world.state, world.genesis, name))
    assert.equal(units, 3n * call! + 7n * amount!)
    assert.equal(aurumUnits, units * tierMultipliers[coin])
  }
})

test('a metered service is offered by a gifted node that serves, in its coin, at its price', () => {
  const world = giftedWorld()
  const node = gift(world, 'a')
  for (const kind of kinds) {
    const price = priceOf(world, kind, { calls: 5, amount: 3 })
    assert.equal(quote(world, rich, kind), 'METER_NOT_GIFTED')
    assert.equal(quote(world, node, kind, { coin: 'BLY' }), 'METER_COIN_WRONG')
    assert.equal(quote(world, node, kind, { amount: (price + 1n).toString() }), 'METER_PRICE_WRONG')
    assert.equal(quote(world, node, kind, { amount: (price - 1n).toString() }), 'METER_PRICE_WRONG')
    assert.equal(quote(world, node, kind), '')
  }
  world.commit(silentMs)
  assert.equal(quote(world, node, 'storage', { key: 'late' }), 'METER_NOT_GIFTED')
  assert.equal(
    world.apply(rich, 'hold-quote', { coin: 'BLY', amount: '1', service: { kind: 'inference' }, key: 'k' }),
    ''
  )
  world.requireConserved()
})

test('without the payer nothing is charged, and never more than what was delivered costs', () => {
  const world = giftedWorld()
  const node = gift(world, 'a')
  quote(world, node, 'storage')
  const hold = holdIdOf(accountOf(node), 'storage')
  const price = priceOf(world, 'storage', { calls: 5, amount: 3 })
  const capture = (amount: bigint, usage: { calls: number; amount: number }): string =>
    world.apply(node, 'hold-capture', { hold, amount: amount.toString(), usage: { ...usage, responseMsTotal: 1 } })
  assert.equal(capture(price, { calls: 5, amount: 3 }), 'HOLD_NOT_AUTHORISED')
  assert.equal(world.apply(rich, 'hold-authorise', { hold, amount: price.toString() }), '')
  assert.equal(capture(price, { calls: 4, amount: 3 }), 'METER_PRICE_WRONG')
  assert.equal(capture(price, { calls: 5, amount: 4 }), 'METER_USAGE_MISMATCH')
  assert.equal(capture(price, { calls: 5, amount: 3 }), '')
})

test('a metered payment is shared with the treasury, counts for the node, and the rest goes back', () => {
  const world = giftedWorld()
  const node = gift(world, 'a')
  quote(world, node, 'consensus')
  const hold = holdIdOf(accountOf(node), 'consensus')
  const [full, used] = [5, 4].map(calls => priceOf(world, 'consensus', { calls, amount: 3 })) as [bigint, bigint]
  const before = { payer: world.balance(rich, 'GEN'), treasury: world.balance(systemAccounts.treasury, 'GEN') }
  world.apply(rich, 'hold-authorise', { hold, amount: full.toString() })
  const usage = { calls: 4, amount: 3, responseMsTotal: 9 }
  assert.equal(world.apply(node, 'hold-capture', { hold, amount: used.toString(), usage }), '')
  assert.equal(world.apply(node, 'hold-credit', { hold }), '')
  const toTreasury = (used * 200_000n) / million
  assert.equal(world.balance(node, 'GEN'), used - toTreasury)
  assert.equal(world.balance(systemAccounts.treasury, 'GEN') - before.treasury, toTreasury)
  assert.equal(before.payer - world.balance(rich, 'GEN'), used)
  assert.deepEqual(nodeOf(world, node).served, { GEN: used.toString(), NEX: '0', FLX: '0', AUR: '0' })
  assert.deepEqual(nodeOf(world, node).calls, { GEN: 4, NEX: 0, FLX: 0, AUR: 0 })
  world.requireConserved()
})

test('silence after delivery pays as consent does; a node that has retired meanwhile is still paid', () => {
  const world = giftedWorld()
  const node = gift(world, 'a')
  quote(world, node, 'other')
  const hold = holdIdOf(accountOf(node), 'other')
  const price = priceOf(world, 'other', { calls: 5, amount: 3 })
  world.apply(rich, 'hold-authorise', { hold, amount: price.toString() })
  world.apply(node, 'hold-capture', {
    hold,
    amount: price.toString(),
    usage: { calls: 5, amount: 3, responseMsTotal: 0 }
  })
  world.apply(node, 'gifted-retire', { account: accountOf(node) })
  world.commit(2 * 3_600_000)
  assert.equal(readHold(world.state, hold)!.status, 'credited')
  assert.equal(world.balance(node, 'FLX'), price - (price * 200_000n) / million)
  world.requireConserved()
})

test('to charge oneself through another account costs more than it earns', () => {
  const world = giftedWorld()
  // A cheat pays itself: what it earns more by it is a share of the share that counts.
  const served = parameterOf(world.state, world.genesis, 'giftedServedPpm')
  const treasury = parameterOf(world.state, world.genesis, 'meterTreasuryPpm')
  assert.ok((served * 500_000n) / million < treasury)
})

test('whatever is metered, the coins stay what they were', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          kind: fc.constantFrom(...kinds),
          calls: fc.nat(1000),
          amount: fc.nat(1000),
          part: fc.nat(1000)
        }),
        { maxLength: 6 }
      ),
      charges => {
        const world = giftedWorld()
        const node = gift(world, 'a')
        for (const [place, { kind, calls, amount, part }] of charges.entries()) {
          const price = priceOf(world, kind, { calls, amount })
          const { coin } = tariffs[kind]
          const key = `k${place}`
          const quoted = world.apply(node, 'hold-quote', {
            coin,
            amount: price.toString(),
            service: { kind, calls, amount },
            key
          })
          assert.equal(quoted, price === 0n ? 'AMOUNT_ZERO' : '')
          if (price === 0n) continue
          const hold = holdIdOf(accountOf(node), key)
          world.apply(rich, 'hold-authorise', { hold, amount: price.toString() })
          const captured = (price * BigInt(part)) / 1000n
          const usage = { calls, amount, responseMsTotal: 0 }
          world.apply(node, 'hold-capture', { hold, amount: captured.toString(), usage })
          world.apply(rich, 'hold-credit', { hold })
        }
        beat(world, [node], 12)
        for (const coin of meterCoins) assert.ok(world.balance(node, coin) >= 0n)
        world.requireConserved()
      }
    ),
    { numRuns: 15 }
  )
})
