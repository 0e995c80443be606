import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sha256 } from '../../../src/codec/index.ts'
import {
  createCanaryPool,
  createReputation,
  createSamplingSchedule,
  type Finding,
  fingerprintOf,
  reputationLimits,
  rowDifference
} from '../../../src/guardian/index.ts'
import { gaussianRow, random } from './expert-world.ts'

const minuteMs = 60_000
const peer = 'peer'

test('one wrong answer is quarantine at once; after five minutes probation, after five right answers good', () => {
  for (const finding of ['wrong', 'commitment-broken', 'weights-unproven'] as const) {
    const reputation = createReputation()
    reputation.note(peer, finding, 0)
    assert.equal(reputation.standing(peer, 0), 'quarantined')
    assert.equal(reputation.standing(peer, 5 * minuteMs - 1), 'quarantined')
    assert.equal(reputation.standing(peer, 5 * minuteMs), 'probation')
    for (let right = 0; right < 5; right++) {
      assert.equal(reputation.isWatched(peer, 6 * minuteMs), true)
      reputation.note(peer, 'right', 6 * minuteMs)
    }
    assert.equal(reputation.standing(peer, 6 * minuteMs), 'good')
  }
})

test('who is caught again stays away twice as long each time, and no longer than a day', () => {
  const reputation = createReputation()
  let nowMs = 0
  for (let time = 0; time < 14; time++) {
    reputation.note(peer, 'wrong', nowMs)
    // Calls that were under way together are one offence, and right ones among them shorten nothing.
    reputation.note(peer, 'wrong', nowMs + 1)
    for (let right = 0; right < 9; right++) reputation.note(peer, 'right', nowMs + 2)
    const [record] = reputation.records(nowMs + 3)
    const lengthMs = Math.min(5 * minuteMs * 2 ** time, 24 * 60 * minuteMs)
    assert.deepEqual(
      [record!.standing, record!.quarantinedUntilMs, record!.wrong],
      ['quarantined', nowMs + lengthMs, time + 1]
    )
    nowMs += lengthMs
  }
})

test('whatever is found, nobody is let out of quarantine early, also not by many others coming by', () => {
  const finding = fc.constantFrom<Finding>('right', 'wrong', 'commitment-broken', 'weights-unproven', 'failed')
  const step = fc.record({ peer: fc.nat({ max: 30 }), finding, waitMs: fc.nat({ max: 4 * minuteMs }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const reputation = createReputation({ peersMax: 12 })
      const until = new Map<string, number>()
      let nowMs = 0
      for (const one of steps) {
        const name = `peer ${one.peer}`
        reputation.note(name, one.finding, nowMs)
        const isWrong = one.finding !== 'right' && one.finding !== 'failed'
        const isAway = (until.get(name) ?? 0) > nowMs
        if (isWrong && !isAway) until.set(name, nowMs + reputationLimits.quarantineMs)
        nowMs += one.waitMs
        const away = [...until].filter(([, untilMs]) => untilMs > nowMs)
        if (away.length < 12)
          for (const [caught] of away) assert.equal(reputation.standing(caught, nowMs), 'quarantined')
        assert.ok(reputation.records(nowMs).length <= 12)
      }
    }),
    { numRuns: 60 }
  )
})

test('who does not answer is under probation for a while, and never in quarantine for that', () => {
  const reputation = createReputation()
  for (let time = 0; time < 50; time++) reputation.note(peer, 'failed', time)
  assert.equal(reputation.standing(peer, 50), 'probation')
  assert.equal(reputation.standing(peer, 6 * minuteMs), 'good')
})

test('one call of each 25 is drawn, one of each 8 from who is watched, and places are spread evenly', () => {
  for (const [isWatched, length] of [
    [false, 25],
    [true, 8]
  ] as const) {
    const schedule = createSamplingSchedule(new Uint8Array(32).fill(5))
    const places = new Uint32Array(length)
    for (let block = 0; block < 2000; block++) {
      const drawn = Array.from({ length }, () => schedule.isSampled(peer, isWatched))
      assert.equal(drawn.filter(Boolean).length, 1)
      places[drawn.indexOf(true)]!++
    }
    const expected = 2000 / length
    for (const count of places) assert.ok(Math.abs(count - expected) < 6 * Math.sqrt(expected), `${count}`)
  }
})

test('whatever happens to its standing, 49 calls in a row are never left out', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }), fc.nat(), (watched, seed) => {
      const schedule = createSamplingSchedule(sha256(Uint8Array.of(seed & 255, seed >> 8)))
      let since = 0
      for (const isWatched of watched) {
        since = schedule.isSampled(peer, isWatched) ? 0 : since + 1
        assert.ok(since <= 48)
      }
    }),
    { numRuns: 200 }
  )
})

test('who does not know the secret cannot tell which calls: two gateways draw others', () => {
  const draw = (secret: number) => {
    const schedule = createSamplingSchedule(new Uint8Array(32).fill(secret))
    return Array.from({ length: 2500 }, () => schedule.isSampled(peer, false))
  }
  const [one, other] = [draw(1), draw(2)]
  const both = one.filter((drawn, call) => drawn && other[call]).length
  assert.ok(both < 20, `${both} of 100 calls are drawn by both`)
})

test('fingerprints are as far apart as rows are, within a third, and 64 numbers long', () => {
  const next = random(3)
  const seed = new Uint8Array(32).fill(8)
  for (const size of [64, 300, 1024])
    for (const apart of [1e-4, 0.02, 0.14]) {
      const row = gaussianRow(size, next)
      const other = row.map(value => value + Math.fround(apart * gaussianRow(1, next)[0]!))
      const wanted = rowDifference(row, other)!
      const found = rowDifference(fingerprintOf(row, seed), fingerprintOf(other, seed))!
      assert.equal(fingerprintOf(row, seed).length, 64)
      assert.ok(found > wanted / 1.5 && found < wanted * 1.5, `${found} for ${wanted}`)
    }
})

test('a canary is asked once, never of who answered it, only for weights it has; the pool is bounded', () => {
  const pool = createCanaryPool(1000)
  const canary = (holder: string, weights: string) => ({
    model: 'm',
    layer: 0,
    weights,
    width: 4,
    input: new Float32Array(4),
    fingerprint: new Float32Array(64),
    arithmetic: 'float' as const,
    holder
  })
  pool.keep(canary('alice', 'one'))
  assert.equal(pool.take('alice', new Set(['one'])), undefined)
  assert.equal(pool.take('bob', new Set(['two'])), undefined)
  assert.equal(pool.take('bob', new Set(['one']))?.holder, 'alice')
  assert.equal(pool.take('bob', new Set(['one'])), undefined)
  for (let count = 0; count < 100; count++) pool.keep(canary('alice', `weights ${count}`))
  assert.ok(pool.sizeBytes <= 1000)
  assert.equal(pool.take('bob', new Set(['weights 0'])), undefined)
  assert.equal(pool.take('bob', new Set(['weights 99']))?.weights, 'weights 99')
})
