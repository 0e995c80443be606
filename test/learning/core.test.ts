import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256 } from '../../src/codec/index.ts'
import { dutiesNow, mayPostAtMs, placesOf } from '../../src/learning/core/duties.ts'
import {
  createCommittedClock,
  findNonce,
  judgeDelta,
  type LearnerHand,
  leadingZeroBits,
  mustNudge,
  nextLearnerStep,
  nudgeTurnMs,
  type Phase,
  roundRules,
  weightPpmOf
} from '../../src/learning/index.ts'

const fresh: LearnerHand = {
  isJoined: true,
  baseRound: 5,
  steps: 0,
  ready: undefined,
  hasCommitted: false,
  hasRevealed: false
}

function round(phase: Phase, more: Partial<{ number: number; dueAtMs: number; commits: number }> = {}) {
  return { number: 5, phase, dueAtMs: 10_000, commits: 0, ...more }
}

test('a learner joins, takes the newest version, trains, encodes, commits, reveals and waits', () => {
  const step = (hand: Partial<LearnerHand>, of = round('training'), nowMs = 0) =>
    nextLearnerStep({ ...fresh, ...hand }, of, nowMs, 2000)
  assert.deepEqual(nextLearnerStep(fresh, undefined, 0, 2000), { kind: 'join' })
  assert.deepEqual(step({ isJoined: false }), { kind: 'join' })
  assert.deepEqual(step({ baseRound: undefined }), { kind: 'rebase', keep: false })
  assert.deepEqual(step({}), { kind: 'train', untilMs: 8000 })
  assert.deepEqual(step({ steps: 40 }, round('training'), 8000), { kind: 'encode' })
  assert.deepEqual(step({ ready: { baseRound: 5 } }, round('training'), 9000), { kind: 'commit' })
  assert.deepEqual(step({ hasCommitted: true }), { kind: 'wait' })
  assert.deepEqual(step({ hasCommitted: true }, round('revealing')), { kind: 'reveal' })
  assert.deepEqual(step({ hasCommitted: true, hasRevealed: true }, round('revealing')), { kind: 'wait' })
  for (const phase of ['aggregating', 'measuring', 'publishing'] as const)
    assert.deepEqual(step({ steps: 9 }, round(phase)), { kind: 'wait' })
})

test('a slow learner goes on over windows, is late by three versions at most, and then takes the new one with its work', () => {
  const late = (number: number, hand: Partial<LearnerHand>, nowMs = 9000) =>
    nextLearnerStep({ ...fresh, ...hand }, round('training', { number, commits: 1 }), nowMs, 2000)
  // Too little for a delta at the end of the window: trained on while the window lasts, then through the next.
  assert.deepEqual(late(5, { steps: 1 }), { kind: 'train', untilMs: 11_000 })
  assert.deepEqual(late(5, { steps: 1 }, 10_500), { kind: 'wait' })
  assert.deepEqual(late(6, { steps: 1 }, 0), { kind: 'train', untilMs: 8000 })
  assert.deepEqual(late(8, { steps: 1 }), { kind: 'encode' })
  // A delta that missed its window counts less in the next, and nothing after three.
  assert.deepEqual(late(7, { ready: { baseRound: 5 } }), { kind: 'commit' })
  assert.deepEqual(late(9, { ready: { baseRound: 5 } }), { kind: 'rebase', keep: true })
  assert.deepEqual(late(9, { steps: 1 }), { kind: 'rebase', keep: true })
  assert.deepEqual(late(6, { steps: 0 }), { kind: 'rebase', keep: false })
  assert.deepEqual([0, 1, 2, 3].map(weightPpmOf), [1_000_000, 500_000, 333_333, 250_000])
})

test('a primary may post at once, backups one after the other, and nobody twice', () => {
  const times = { aggregateMs: 6000, backupMs: 1000 }
  const of = { phaseAtMs: 100_000 }
  assert.deepEqual(
    [0, 1, 2, 3].map(place => mayPostAtMs(of, place, times)),
    [100_000, 106_000, 107_000, 108_000]
  )
  const elected: Record<string, string[]> = { first: ['me', 'you'], second: ['you', 'me'], third: ['you', 'they'] }
  const duties = placesOf(Object.keys(elected), part => elected[part]!, 'me', 4)
  assert.deepEqual(duties, [
    { part: 'first', place: 0 },
    { part: 'second', place: 1 }
  ])
  const now = (nowMs: number, results: { name: string; author: string }[] = [], replayed: string[] = []) =>
    dutiesNow({ duties, round: of, results, account: 'me', replayed: new Set(replayed), nowMs, times })
  assert.deepEqual(now(100_000), { post: [{ part: 'first', place: 0 }], replay: [] })
  assert.deepEqual(now(106_000).post, duties)
  const given = [
    { name: 'first', author: 'me' },
    { name: 'second', author: 'you' }
  ]
  assert.deepEqual(now(106_000, given), { post: [], replay: ['second'] })
  assert.deepEqual(now(106_000, given, ['second']), { post: [], replay: [] })
})

test('a delta may count unless it is worse beyond doubt, and harm is told from bad luck', () => {
  const before = Float64Array.from({ length: 32 }, (_, at) => 2 + 0.01 * at)
  const moved = (by: (at: number) => number) =>
    judgeDelta(
      before,
      before.map((loss, at) => loss - by(at))
    )
  assert.deepEqual(moved(() => 0.1).refusal, undefined)
  assert.ok(Math.abs(moved(() => 0.1).gainNano - 1e8) < 10)
  // As often better as worse: noise.
  assert.equal(moved(at => (at % 2 === 0 ? 0.05 : -0.06)).refusal, undefined)
  assert.equal(moved(at => (at % 2 === 0 ? 0.05 : -0.06)).gainNano, 0)
  assert.equal(moved(at => -0.02 + 0.001 * (at % 3)).refusal, 'no-gain')
  assert.equal(moved(() => -1).refusal, 'poisoned')
  assert.equal(moved(at => (at === 7 ? Number.NaN : 0.1)).refusal, 'not-finite')
  assert.equal(
    judgeDelta(
      before,
      before.map(() => Number.POSITIVE_INFINITY)
    ).refusal,
    'not-finite'
  )
  assert.ok(roundRules.gateSequences >= 16)
})

test('only what is due and lacks nothing but a commit is asked for, each in its turn', () => {
  assert.equal(mustNudge(round('training'), 99_999, 0), false)
  assert.equal(mustNudge(round('training', { commits: 1 }), 10_001, 0), true)
  assert.equal(mustNudge(round('measuring'), 10_000 + nudgeTurnMs, 1), false)
  assert.equal(mustNudge(round('measuring'), 10_001 + nudgeTurnMs, 1), true)
})

test('committed time goes on between commits, and a wall clock that is wrong changes nothing', () => {
  let monotonicMs = 1000
  const clock = createCommittedClock(() => monotonicMs)
  assert.equal(clock.nowMs(), 0)
  clock.note(3_600_000)
  monotonicMs += 500
  assert.equal(clock.nowMs(), 3_600_500)
  // One that came late says less than what was known.
  clock.note(3_600_100)
  assert.equal(clock.nowMs(), 3_600_500)
  for (let commit = 1; commit <= 64; commit++) {
    monotonicMs += 10
    clock.note(3_600_400 + 10 * commit)
  }
  assert.equal(clock.nowMs(), 3_601_040)
})

test('the nonce that is found has the bits that are asked for', async () => {
  const digestOf = (nonce: number): Uint8Array => sha256(new TextEncoder().encode(`work ${nonce}`))
  const nonce = await findNonce(digestOf, 10)
  assert.ok(leadingZeroBits(digestOf(nonce)) >= 10)
  for (let before = 0; before < nonce; before++) assert.ok(leadingZeroBits(digestOf(before)) < 10)
  await assert.rejects(findNonce(digestOf, 200, AbortSignal.timeout(20)), { name: 'TimeoutError' })
})
