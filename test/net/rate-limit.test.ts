import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PeerBudget } from '../../src/net/rate-limit.ts'

function clock() {
  const time = { nowMs: 0 }
  return { time, now: () => time.nowMs }
}

test('a peer has its burst at once and its rate after it, whatever others take', () => {
  const { time, now } = clock()
  const budget = new PeerBudget({ perSecond: 10, burst: 5 }, 8, now)
  const taken = (peerId: string) => Array.from({ length: 20 }, () => budget.trySpend(peerId)).filter(Boolean).length
  assert.deepEqual([taken('a'), taken('a'), taken('b')], [5, 0, 5])
  time.nowMs = 300
  assert.deepEqual([taken('a'), taken('b')], [3, 3])
  time.nowMs = 60_000
  assert.equal(taken('a'), 5)
})

test('on credit a peer waits until its debt is paid', () => {
  const { time, now } = clock()
  const budget = new PeerBudget({ perSecond: 100, burst: 1000 }, 8, now)
  assert.deepEqual([budget.spend('a', 900), budget.spend('a', 200)], [0, 1000])
  time.nowMs = 1000
  assert.equal(budget.spend('a', 50), 500)
})

test('over any run of time no peer gets more than burst and rate', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ waitMs: fc.integer({ min: 0, max: 500 }), cost: fc.integer({ min: 1, max: 7 }) })),
      steps => {
        const { time, now } = clock()
        const budget = new PeerBudget({ perSecond: 20, burst: 10 }, 4, now)
        let spent = 0
        for (const { waitMs, cost } of steps) {
          time.nowMs += waitMs
          if (budget.trySpend('a', cost)) spent += cost
          assert.ok(spent <= 10 + (time.nowMs * 20) / 1000 + 1e-6)
        }
      }
    )
  )
})

test('many new names do not give a spent budget back', () => {
  const { now } = clock()
  const budget = new PeerBudget({ perSecond: 1, burst: 10 }, 16, now)
  budget.spend('spender', 100)
  for (let place = 0; place < 1000; place++) budget.trySpend(`name ${place}`)
  assert.equal(budget.trySpend('spender'), false)
})
