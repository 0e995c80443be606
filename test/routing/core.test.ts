import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isBlyanError } from '../../src/errors/index.ts'
import { patienceFor } from '../../src/routing/core/call-limits.ts'
import { type Candidate, chooseHolders } from '../../src/routing/core/choose.ts'
import { HolderBook, holderLimits } from '../../src/routing/core/holder-book.ts'
import { createCallTimes } from '../../src/routing/core/latency.ts'
import { predict } from '../../src/routing/core/planner.ts'
import { RequestTallies } from '../../src/routing/core/request-tallies.ts'
import {
  decodeExpertFrame,
  decodeHoldings,
  decodeHoldingsRequest,
  type ExpertFrame,
  encodeExpertFrame,
  encodeHoldings,
  encodeHoldingsRequest,
  refusals
} from '../../src/routing/core/wire.ts'

const tensor = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'
const other = 'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq'
const floats = fc.float32Array({ minLength: 1, maxLength: 40 })
const number = fc.nat()

test('frames are read as they were written; anything else is refused by name', () => {
  const frame: fc.Arbitrary<ExpertFrame> = fc.oneof(
    fc.record({
      kind: fc.constant('call' as const),
      call: number,
      request: fc.string({ minLength: 1, maxLength: 16 }),
      layer: fc.nat(65_535),
      isPrompt: fc.boolean(),
      loads: fc.array(fc.record({ tensor: fc.constantFrom(tensor, other), rows: floats }), {
        minLength: 1,
        maxLength: 4
      })
    }),
    fc.record({
      kind: fc.constant('answer' as const),
      call: number,
      results: fc.array(floats, { minLength: 1, maxLength: 4 }),
      commitment: fc.uint8Array({ maxLength: 90 }),
      signature: fc.uint8Array({ maxLength: 64 })
    }),
    fc.record({ kind: fc.constant('refusal' as const), call: number, reason: fc.constantFrom(...refusals) }),
    fc.record({ kind: fc.constant('heartbeat' as const), openCalls: number }),
    fc.record({ kind: fc.constant('cancel' as const), call: number }),
    fc.record({ kind: fc.constant('ping' as const), number }),
    fc.record({ kind: fc.constant('pong' as const), number, openCalls: number })
  )
  fc.assert(
    fc.property(frame, one => {
      const bytes = encodeExpertFrame(one).slice()
      const again = decodeExpertFrame(bytes)
      assert.equal(again.kind, one.kind)
      assert.deepEqual(encodeExpertFrame(again), bytes)
    })
  )
  const isRefused = (error: unknown): boolean => isBlyanError(error, 'ENCODING_INVALID')
  fc.assert(
    fc.property(frame, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, change) => {
      const bytes = encodeExpertFrame(one)
      bytes[at % bytes.length]! ^= change
      try {
        decodeExpertFrame(bytes)
      } catch (error) {
        assert.ok(isRefused(error), String(error))
      }
    })
  )
  assert.throws(() => decodeExpertFrame(new Uint8Array(0)), isRefused)
})

test('holdings travel whole, or as their version alone when that is known', () => {
  const holdings = {
    version: 7,
    account: 'z6Mk',
    priceUnitsPer1000Rows: 12_345_678_901_234_567_890n,
    score: 4.125,
    openCalls: 3,
    tensors: [tensor, other]
  }
  assert.deepEqual(decodeHoldings(encodeHoldings(holdings, 6)), holdings)
  assert.deepEqual(decodeHoldings(encodeHoldings(holdings, 7)), { ...holdings, tensors: null })
  assert.equal(decodeHoldingsRequest(encodeHoldingsRequest(7)), 7)
})

test('the time of a call is a line through what was measured, and forgets what was long ago', () => {
  const times = createCallTimes()
  assert.ok(times.expectedMs(1, 0) > 0)
  times.noteRoundTrip(10)
  for (let call = 0; call < 60; call++) times.note(1 + (call % 50), 12 + 0.5 * (1 + (call % 50)), 0)
  assert.ok(Math.abs(times.expectedMs(100, 0) - 62) < 1, `${times.expectedMs(100, 0)}`)
  assert.ok(Math.abs(times.expectedMs(0, 0) - 12) < 1)
  for (let call = 0; call < 30; call++) times.note(5, 900, 0)
  assert.ok(times.expectedMs(5, 0) > 500)
  assert.ok(times.expectedMs(5, 600_000) < 20)
})

test('whatever is measured: more rows never take less, nothing takes less than nothing, slow is not quicker than usual', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.float({ min: 0, max: 5000, noNaN: true })), {
        maxLength: 80
      }),
      samples => {
        const times = createCallTimes()
        for (const [rows, elapsedMs] of samples) times.note(rows, elapsedMs, 0)
        let lastMs = 0
        for (const rows of [0, 1, 5, 50, 500]) {
          const expectedMs = times.expectedMs(rows, 0)
          assert.ok(expectedMs >= lastMs - 1e-6 && times.slowMs(rows, 0) >= expectedMs)
          const { hedgeMs, deadlineMs } = patienceFor(expectedMs, times.slowMs(rows, 0))
          assert.ok(deadlineMs >= 250 && hedgeMs >= 15)
          assert.ok(deadlineMs <= Math.max(1000, 2 * expectedMs))
          lastMs = expectedMs
        }
      }
    )
  )
})

test('who fails is excluded, longer each time, comes back on probation, and is good again after it has answered', () => {
  const book = new HolderBook()
  assert.equal(book.standing('a', 0), 'good')
  book.suspect('a')
  assert.equal(book.standing('a', 0), 'suspect')
  book.heard('a')
  assert.equal(book.standing('a', 0), 'good')
  let nowMs = 0
  for (let failure = 0; failure < 12; failure++) {
    book.failed('a', nowMs)
    book.failed('a', nowMs + 1)
    const excludedMs = Math.min(holderLimits.excludedMsMax, holderLimits.excludedMs * 2 ** failure)
    assert.equal(book.standing('a', nowMs + excludedMs - 1), 'excluded')
    nowMs += excludedMs
    assert.equal(book.standing('a', nowMs), 'probation')
  }
  for (let answer = 0; answer < holderLimits.answersToRecover; answer++) book.answered('a', 1, 5, nowMs)
  assert.equal(book.standing('a', nowMs), 'good')
  for (let place = 0; place < 3 * holderLimits.holdersMax; place++) book.failed(`peer${place}`, nowMs)
  assert.equal(book.standing('peer0', nowMs), 'good')
})

const good = (peerId: string, baseMs = 5, more: Partial<Candidate> = {}): Candidate => ({
  peerId,
  standing: 'good',
  baseMs,
  rowMs: 0.1,
  openCalls: 0,
  ...more
})
const load = (candidates: readonly Candidate[], rows = 1, lastPeerId?: string) => ({
  tensor,
  rows,
  candidates,
  lastPeerId
})

test('the quickest is asked, one message a holder; work is shared where that is quicker; the last one is kept if it is as good', () => {
  const [quick, slow] = [good('quick', 5), good('slow', 50)]
  assert.deepEqual(chooseHolders([load([slow, quick]), load([quick, slow])]).groups, [
    { peerId: 'quick', loads: [0, 1] }
  ])
  const twins = [good('a'), good('b')]
  const many = Array.from({ length: 4 }, () => load(twins, 100))
  assert.deepEqual(
    chooseHolders(many).groups.map(({ loads }) => loads.length),
    [2, 2]
  )
  assert.equal(chooseHolders([load(twins, 1, 'b')]).groups[0]!.peerId, 'b')
  assert.equal(chooseHolders([load([good('a', 5, { openCalls: 8 }), good('b', 7)])]).groups[0]!.peerId, 'b')
  assert.equal(chooseHolders([load([good('a', 5, { standing: 'suspect' }), good('b', 100)])]).groups[0]!.peerId, 'b')
  assert.equal(chooseHolders([load([good('a', 5, { standing: 'excluded' })])]).groups[0]!.peerId, 'a')
})

test('every load goes to exactly one of its candidates, those without any are named, and the same input gives the same choice', () => {
  const candidate = fc.record({
    peerId: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    standing: fc.constantFrom('good' as const, 'probation' as const, 'suspect' as const, 'excluded' as const),
    baseMs: fc.float({ min: 0, max: 500, noNaN: true }),
    rowMs: fc.float({ min: 0, max: 5, noNaN: true }),
    openCalls: fc.nat(64)
  })
  const loads = fc.array(
    fc.record({
      tensor: fc.constant(tensor),
      rows: fc.integer({ min: 1, max: 500 }),
      candidates: fc.uniqueArray(candidate, { selector: ({ peerId }) => peerId, maxLength: 5 }),
      lastPeerId: fc.option(fc.constantFrom('a', 'b'), { nil: undefined })
    }),
    { maxLength: 12 }
  )
  fc.assert(
    fc.property(loads, all => {
      const choice = chooseHolders(all)
      const places = [...choice.missing, ...choice.groups.flatMap(group => group.loads)].toSorted((a, b) => a - b)
      assert.deepEqual(places, [...all.keys()])
      assert.equal(new Set(choice.groups.map(({ peerId }) => peerId)).size, choice.groups.length)
      for (const { peerId, loads: chosen } of choice.groups)
        for (const place of chosen) assert.ok(all[place]!.candidates.some(one => one.peerId === peerId))
      for (const place of choice.missing) assert.equal(all[place]!.candidates.length, 0)
      assert.deepEqual(chooseHolders(all), choice)
    })
  )
})

test('a prediction is the time at home and one wait a layer for the slowest holder that is needed', () => {
  const holder = { peerId: 'a', baseMs: 40, rowMs: 0 }
  const input = { homeMsPerToken: 10, expertsPerLayer: 8, expertsPerToken: 2, batch: 1 }
  const all = Array.from({ length: 16 }, () => ({ holders: [{ holder, experts: 8 }] }))
  assert.ok(Math.abs(predict({ ...input, layers: all }).msPerToken - (10 + 16 * 40.5)) < 1e-6)
  assert.equal(predict({ ...input, layers: [] }).msPerToken, 10)
  const few = Array.from({ length: 16 }, () => ({ holders: [{ holder, experts: 1 }] }))
  assert.ok(Math.abs(predict({ ...input, layers: few }).msPerToken - (10 + 16 * 0.25 * 40.5)) < 1e-6)
  const slower = { peerId: 'b', baseMs: 80, rowMs: 0 }
  const both = [
    {
      holders: [
        { holder, experts: 4 },
        { holder: slower, experts: 4 }
      ]
    }
  ]
  const { msPerToken } = predict({ ...input, layers: both })
  assert.ok(msPerToken > 10 + 40.5 && msPerToken < 10 + 80.5)
  assert.ok(predict({ ...input, batch: 8, layers: both }).msPerToken > msPerToken)
})

test('what holders did is counted for each request, at the price they told, rounded up once', () => {
  const tallies = new RequestTallies()
  tallies.begin('one', 'secure')
  tallies.begin('two', 'distributed')
  const holdings = { account: 'payee', priceUnitsPer1000Rows: 7n }
  const rowsOfRequest = new Map([
    ['one', 3],
    ['two', 500],
    ['never begun', 9]
  ])
  tallies.note({ peerId: 'a', rowsOfRequest, holdings })
  tallies.note({ peerId: 'a', rowsOfRequest, holdings })
  assert.deepEqual(tallies.of('one'), [{ peerId: 'a', account: 'payee', calls: 2, rows: 6, costUnits: 1n }])
  assert.deepEqual(tallies.end('two'), [{ peerId: 'a', account: 'payee', calls: 2, rows: 1000, costUnits: 7n }])
  assert.deepEqual([tallies.of('two'), tallies.of('never begun'), tallies.modeOf('one')], [[], [], 'secure'])
})
