import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { tierMultipliers } from '../../src/ledger/book/coins.ts'
import {
  decideScaling,
  meterCoins,
  openOffer,
  type ScalingInput,
  scalingPeriod
} from '../../src/ledger/gifted/index.ts'
import { loadPpmMax } from '../../src/ledger/gifted/scaling.ts'
import { accountOf } from '../dag/small-network.ts'
import { beat, gift, giftedWorld, heartbeatMs, nodeOf, periodMs, silentMs } from './gifted-world.ts'
import { bly, type LedgerWorld, operatorKey, vertexAt, type WorldOptions } from './ledger-world.ts'

type Need = ScalingInput['need']
const four = <Value>(of: (place: number) => Value) =>
  Object.fromEntries(meterCoins.map((coin, place) => [coin, of(place)])) as Record<(typeof meterCoins)[number], Value>

function inputWith(changes: Partial<ScalingInput> = {}): ScalingInput {
  return {
    need: four(() => ({ loadPpm: 1_400_000, activeNodes: 3 })),
    treasury: four(() => 1000n * bly),
    income: four(() => 100n),
    periodMs: 3_600_000,
    parameters: {
      loadPpm: 700_000,
      nodesMax: 4,
      costUnits: 10n * bly,
      treasuryMin: four(() => 100n * bly),
      returnMs: 36_000_000,
      bonusPpm: 200_000
    },
    ...changes
  }
}

test('nothing is decided where the load is within its limit', () => {
  const need: Need = four(() => ({ loadPpm: 700_000, activeNodes: 0 }))
  for (const decision of Object.values(decideScaling(inputWith({ need }))))
    assert.deepEqual([decision.strategy, decision.nodes, decision.costUnits, decision.returnPpm], ['none', 0, 0n, null])
})

test('the treasury pays where it keeps its minimum, and asks for gifts where it does not', () => {
  const input = inputWith()
  const enough = four(place => 100n * bly + (3n * 10n * bly) / Object.values(tierMultipliers)[place]!)
  const paid = decideScaling({ ...input, treasury: enough })
  const short = decideScaling({ ...input, treasury: four(place => Object.values(enough)[place]! - 1n) })
  for (const coin of meterCoins) {
    // At twice the limit as many again are missing.
    assert.deepEqual([paid[coin].nodes, paid[coin].strategy], [3, 'treasury'])
    assert.equal(paid[coin].costUnits, (3n * 10n * bly) / tierMultipliers[coin])
    // 100 base units a period from three nodes, for three more, over ten periods.
    assert.equal(paid[coin].expectedReturnUnits, 1000n)
    assert.equal(paid[coin].returnPpm, (1000n * 1_000_000n) / paid[coin].costUnits)
    assert.deepEqual([short[coin].strategy, short[coin].costUnits, short[coin].returnPpm], ['gifting', 0n, null])
    assert.deepEqual(short[coin].bonus, { miner: 200_000, deployer: 200_000, validator: 100_000 })
  }
})

test('no decision has a number without end, and none asks for more than its limit', () => {
  const units = fc.bigInt({ min: 0n, max: 10n ** 27n })
  fc.assert(
    fc.property(
      fc.nat(loadPpmMax),
      fc.nat(512),
      units,
      units,
      fc.bigInt({ min: 0n, max: 10n ** 18n }),
      fc.nat(64),
      (loadPpm, activeNodes, treasury, income, costUnits, nodesMax) => {
        const base = inputWith()
        const decisions = decideScaling({
          ...base,
          need: four(() => ({ loadPpm, activeNodes })),
          treasury: four(() => treasury),
          income: four(() => income),
          parameters: { ...base.parameters, costUnits, nodesMax }
        })
        for (const coin of meterCoins) {
          const { nodes, strategy, costUnits: cost, returnPpm, expectedReturnUnits } = decisions[coin]
          assert.ok(nodes <= nodesMax && expectedReturnUnits >= 0n)
          assert.equal(strategy === 'treasury', returnPpm !== null)
          if (strategy === 'treasury') assert.ok(cost > 0n && treasury - cost >= base.parameters.treasuryMin[coin])
          else assert.equal(cost, 0n)
        }
      }
    )
  )
})

/** A period whose commits are as full as they can be. */
function busyPeriod(world: LedgerWorld, keys: Parameters<typeof beat>[1]): void {
  for (let turn = 0; turn < periodMs / heartbeatMs; turn++) {
    world.nowMs += heartbeatMs
    const round = turn + 1
    world.commitVertices(round, [vertexAt(round, 0, world.nowMs, { eventCount: 1000 })])
    beat(world, keys, 0)
    for (const key of keys) world.apply(key, 'gifted-heartbeat', { measured: nodeOf(world, key).measured })
  }
}

function busyWorld(options: WorldOptions = {}): LedgerWorld {
  return giftedWorld({
    ...options,
    parameters: { scalingServeMs: (2 * silentMs).toString(), ...options.parameters }
  })
}

test('under load the treasury offers coins to the next nodes, and pays them once they have served', () => {
  const world = busyWorld()
  const before = world.balance(systemAccounts.treasury, 'GEN')
  busyPeriod(world, [])
  const { decisions, commits, events } = scalingPeriod(world.state, 1)!
  assert.deepEqual([commits, events], [10, 10_000])
  const { strategy, nodes, costEachUnits, loadPpm } = decisions.GEN
  assert.deepEqual([strategy, nodes, loadPpm, decisions.NEX.strategy], ['treasury', 1, 1_000_000, 'none'])
  const key = gift(world, 'a', { gifter: operatorKey(1), sharePpm: 100_000 })
  const other = gift(world, 'b')
  const units = BigInt(costEachUnits)
  assert.deepEqual([nodeOf(world, key).grant!.units, nodeOf(world, other).grant], [costEachUnits, null])
  assert.equal(before - world.balance(systemAccounts.treasury, 'GEN'), units)
  assert.equal(openOffer(world.state, 'GEN')!.left, 0)
  const gifter = world.balance(operatorKey(1), 'GEN')
  beat(world, [key, other], 5)
  assert.equal(nodeOf(world, key).grant, null)
  assert.deepEqual(
    [world.balance(key, 'GEN'), world.balance(operatorKey(1), 'GEN') - gifter],
    [(units * 9n) / 10n, units / 10n]
  )
  world.requireConserved()
})

test('a node that falls silent or leaves before it has served gives the coins back to the treasury', () => {
  for (const leaves of [true, false]) {
    const world = busyWorld()
    const before = world.balance(systemAccounts.treasury, 'GEN')
    busyPeriod(world, [])
    const key = gift(world, 'a')
    assert.notEqual(nodeOf(world, key).grant, null)
    if (leaves) world.apply(key, 'gifted-retire', { account: accountOf(key) })
    world.commit(2 * silentMs)
    assert.equal(world.balance(systemAccounts.treasury, 'GEN'), before)
    assert.equal(world.balance(key, 'GEN'), 0n)
    world.requireConserved()
  }
})

test('a treasury at its minimum asks for gifts: whoever comes then earns more for a while', () => {
  const minimum = (1000n * bly).toString()
  const world = busyWorld({
    parameters: { treasuryMinGenesisUnits: minimum, giftingBonusMs: (2 * periodMs).toString() }
  })
  busyPeriod(world, [])
  assert.equal(scalingPeriod(world.state, 1)!.decisions.GEN.strategy, 'gifting')
  const before = world.balance(systemAccounts.treasury, 'GEN')
  const key = gift(world, 'a', { kind: 'validator', gifter: operatorKey(1) })
  assert.equal(nodeOf(world, key).bonus!.ppm, 100_000)
  assert.equal(world.balance(systemAccounts.treasury, 'GEN'), before)
  beat(world, [key], 30)
  assert.equal(nodeOf(world, key).bonus, null)
  world.requireConserved()
})

test('an offer lasts until the next decision', () => {
  const world = busyWorld()
  busyPeriod(world, [])
  assert.equal(openOffer(world.state, 'GEN')!.left, 1)
  world.commit(periodMs)
  assert.equal(openOffer(world.state, 'GEN'), undefined)
  assert.equal(nodeOf(world, gift(world, 'a')).grant, null)
})
