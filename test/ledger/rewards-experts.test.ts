import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SigningKey } from '../../src/codec/index.ts'
import { readSettlement } from '../../src/ledger/rewards/history.ts'
import { owedTo } from '../../src/ledger/rewards/payout.ts'
import { noteUsage, readUsage, usageLimits } from '../../src/ledger/rewards/usage.ts'
import { accountOf, keyOf, tensorCid } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, poor, rich, type WorldOptions } from './ledger-world.ts'

const expert = 'layer0.expert0'
const [server, other] = [keyOf('server'), keyOf('other server')] as const

/** A world with one expert, as the executor writes it. */
function worldOf(parameters: WorldOptions['parameters'] = {}): LedgerWorld {
  const world = new LedgerWorld({
    parameters: { periodMs: '60000', rewardDayUnits: (10n ** 18n).toString(), ...parameters }
  })
  addExpert(world, expert)
  world.commit(0)
  return world
}

function addExpert(world: LedgerWorld, name: string): void {
  world.state.set(`part/${name}`, { block: tensorCid(name), shape: [4, 4], type: 'expert' })
}

function serve(
  world: LedgerWorld,
  by: SigningKey,
  calls: number,
  given: { ms?: number; paid?: bigint; of?: string } = {}
) {
  const { ms = 100, paid = BigInt(calls) * 1_000_000n, of = expert } = given
  const served = { expert: of, holder: accountOf(by), calls, responseMsTotal: calls * ms, paidUnits: paid }
  return noteUsage(world.state, world.genesis, { ...served, nowMs: world.nowMs })
}

function score(world: LedgerWorld, place: number, scorePpm: unknown, by: SigningKey = server, of = expert): string {
  return world.apply(operatorKey(place), 'expert-score', { expert: of, holder: accountOf(by), scorePpm })
}

const settle = (world: LedgerWorld) => {
  world.commit(60_000)
  return readSettlement(world.state, 1)!
}

test('10 BLY x 1.5 x 1.9 x 1.8 for 150 quick calls that half of the stake finds good', () => {
  const world = worldOf()
  serve(world, server, 150)
  for (const [place, ppm] of [900_000, 800_000, 300_000].entries()) assert.equal(score(world, place, ppm), '')
  const [row] = settle(world).experts
  // The smallest score that at least half of those who scored do not exceed.
  assert.equal(row!.scorePpm, 800_000)
  assert.equal(row!.scoredPpm, 750_000)
  assert.equal(row!.paidUnits, (10n * bly * 15n * 19n * 18n) / 1000n)
  assert.equal(world.balance(server), row!.paidUnits)
  assert.deepEqual(readUsage(world.state), [])
  world.requireConserved()
})

test('the median is by stake: a heavy operator outvotes many light ones', () => {
  const world = worldOf()
  const { state } = world
  serve(world, server, 100)
  const heavy = accountOf(operatorKey(3))
  assert.equal(world.apply(rich, 'stake', { operator: heavy, amount: (300_000n * bly).toString() }), '')
  for (const [place, ppm] of [1_000_000, 1_000_000, 1_000_000, 200_000].entries()) score(world, place, ppm)
  assert.equal(settle(world).experts[0]!.scorePpm, 200_000)
  assert.ok(state.get(`scores/${heavy}`) !== undefined)
  world.requireConserved()
})

test('use that a third of the stake does not vouch for earns nothing, and takes nothing from who is vouched for', () => {
  const world = worldOf()
  serve(world, server, 100)
  serve(world, other, 1_000_000)
  score(world, 0, 500_000)
  score(world, 1, 500_000)
  score(world, 2, 500_000, other)
  const rows = settle(world).experts
  assert.deepEqual(
    rows.map(row => [row.expertCalls, row.rewardUnits > 0n]),
    [
      [100, true],
      [100, false]
    ]
  )
  assert.equal(rows[0]!.rewardUnits, (10n * bly * 19n * 15n) / 100n)
})

test('holders of one expert share what it earns by their calls', () => {
  const world = worldOf({ expertScoredMinPpm: '0', payoutMinUnits: '0' })
  serve(world, server, 300)
  serve(world, other, 100)
  const rows = settle(world).experts
  assert.deepEqual(
    rows.map(row => row.rewardUnits),
    [(10n * bly * 2n * 3n * 19n) / 40n, (10n * bly * 2n * 19n) / 40n]
  )
})

test('a call counts when it was paid for, in BLY, and only of an expert that there is', () => {
  const world = worldOf()
  assert.equal(serve(world, server, 1_000_000_000, { paid: 1n }), false)
  assert.equal(serve(world, server, 100, { paid: 0n }), false)
  assert.equal(serve(world, server, 100, { of: 'no.such' }), false)
  assert.equal(serve(world, server, 0), false)
  assert.equal(serve(world, server, 1, { paid: 10n ** 26n }), true)
  assert.equal(serve(world, server, 100, { paid: 10_000_000n }), true)
  const { holders } = readUsage(world.state)[0]!
  assert.deepEqual([holders[0]!.calls, holders[0]!.responseMsTotal], [11, 1100])
})

test('accounts that fill every place of an expert do not keep out who is vouched for', () => {
  const world = worldOf()
  for (let place = 0; place < usageLimits.holders; place++)
    assert.equal(serve(world, keyOf(`sybil ${place}`), 500), true)
  assert.equal(serve(world, server, 100), false)
  score(world, 0, 500_000)
  score(world, 1, 500_000)
  assert.equal(serve(world, server, 100), true)
  assert.equal(serve(world, keyOf('bigger sybil'), 501), true)
  const { holders } = readUsage(world.state)[0]!
  assert.equal(holders.length, usageLimits.holders)
  assert.ok(holders.some(({ holder }) => holder === accountOf(server)))
  assert.ok(settle(world).experts.find(row => row.holder === accountOf(server))!.rewardUnits > 0n)
  world.requireConserved()
})

test('who was vouched for in the last period finds a place in this one before anybody has scored', () => {
  const world = worldOf()
  serve(world, server, 100)
  score(world, 0, 500_000)
  score(world, 1, 500_000)
  const fill = (): void => {
    for (let place = 0; place < usageLimits.holders; place++) serve(world, keyOf(`sybil ${place}`), 500)
  }
  settle(world)
  fill()
  assert.equal(serve(world, server, 1), true)
  // One score in the next period does not take away what both said in the one before; a period without any does.
  score(world, 0, 500_000)
  world.commit(60_000)
  world.commit(60_000)
  fill()
  assert.equal(serve(world, server, 1), false)
  world.requireConserved()
})

test('less than the least payout waits in @owed, and is paid a day later at the latest', () => {
  const world = worldOf({ expertScoredMinPpm: '0' })
  serve(world, server, 10)
  const { paidUnits } = settle(world).experts[0]!
  assert.equal(paidUnits, (10n * bly * 19n) / 100n)
  assert.equal(world.balance(server), 0n)
  assert.equal(owedTo(world.state, accountOf(server)), paidUnits)
  assert.equal(world.balance('@owed'), paidUnits)
  world.requireConserved()
  serve(world, server, 50)
  world.commit(60_000)
  assert.equal(world.balance(server), paidUnits * 6n)
  assert.equal(world.balance('@owed'), 0n)
  serve(world, other, 10)
  world.commit(60_000)
  assert.equal(world.balance('@owed'), paidUnits)
  world.commit(24 * 3_600_000)
  assert.equal(world.balance(other), paidUnits)
  assert.equal(world.balance('@owed'), 0n)
  assert.equal(owedTo(world.state, accountOf(other)), 0n)
  world.requireConserved()
})

test('experts get at most their share while validators have earned the rest', () => {
  const world = worldOf({
    expertScoredMinPpm: '0',
    expertBaseUnits: (1000n * bly).toString(),
    rewardDayUnits: (144_000n * bly).toString()
  })
  serve(world, server, 200)
  const { budget } = settle(world)
  assert.equal(budget.experts.paid, 25n * bly)
  assert.equal(budget.validators.paid, 75n * bly)
  world.requireConserved()
})

test('settlements of experts are kept for eight periods, in chunks that a snapshot can carry', () => {
  const world = worldOf({ expertScoredMinPpm: '0', payoutMinUnits: '0' })
  for (let place = 0; place < 300; place++) {
    addExpert(world, `e${place}`)
    serve(world, server, 1, { of: `e${place}` })
  }
  assert.equal(settle(world).experts.length, 300)
  for (let period = 2; period <= 8; period++) world.commit(60_000)
  assert.equal(readSettlement(world.state, 1)!.experts.length, 300)
  world.commit(60_000)
  assert.equal(readSettlement(world.state, 1)!.experts.length, 0)
  assert.ok(readSettlement(world.state, 1)!.validators.length > 0)
  world.requireConserved()
})

test('a score has a code for everything that can be wrong with it', () => {
  const world = worldOf()
  assert.equal(score(world, 0, 1_000_000), '')
  assert.equal(score(world, 0, 5), 'SCORED_ALREADY')
  assert.equal(score(world, 0, 5, other), '')
  assert.equal(score(world, 1, 1_000_001), 'SCORE_OUT_OF_RANGE')
  assert.equal(score(world, 1, -1), 'SCORE_OUT_OF_RANGE')
  assert.equal(score(world, 1, 0.5), 'EVENT_PAYLOAD_INVALID')
  assert.equal(score(world, 1, 5, server, 'no.such'), 'SCORE_EXPERT_UNKNOWN')
  const stranger = world.apply(poor, 'expert-score', { expert, holder: accountOf(server), scorePpm: 5 })
  assert.equal(stranger, 'OPERATOR_NOT_MEMBER')
  for (let place = 0; place < 126; place++) assert.equal(score(world, 0, 5, keyOf(`holder ${place}`)), '')
  assert.equal(score(world, 0, 5, keyOf('one more')), 'SCORES_TOO_MANY')
  world.commit(60_000)
  assert.equal(score(world, 0, 5), '')
})
