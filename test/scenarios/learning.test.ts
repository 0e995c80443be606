import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHandlers } from '../../src/node/event-handlers.ts'
import {
  createFileSizes,
  defaultSetting,
  drawLearningPicture,
  type LearningResult,
  type LearningSetting,
  learningRow,
  runLearning,
  seedPath
} from '../../src/scenarios/learning/index.ts'

const sizes = createFileSizes()

function run(changes: Partial<LearningSetting>): LearningResult {
  const small = { operators: 7, learners: 12, regions: 2, rounds: 2, windowMs: 60_000, stepMs: 2000, silentRound: 0 }
  return runLearning({ setting: { ...defaultSetting, ...small, ...changes }, createHandlers, sizes })
}

/** What machines that do as they should are never refused for. */
function unexpectedRefusals({ events }: LearningResult): readonly unknown[] {
  const late = ['CANDIDATE_DECIDED', 'ROUND_PHASE_WRONG']
  return events.filter(({ refusal }) => refusal !== '' && !late.includes(refusal))
}

test('the same seed gives the same state, another one another', () => {
  const [once, again, other] = [1, 1, 2].map(seed => run({ seed, rounds: 1, operators: 4 }))
  assert.deepEqual(again, once)
  assert.notEqual(other!.stateRoot, once!.stateRoot)
  assert.equal(once!.failoverMs, null)
})

test('rounds go from delta to adopted version by the handlers of a node, and what is refused came too late', () => {
  const result = run({ rounds: 3, lostPpm: 0, newcomersPpm: 0 })
  assert.deepEqual(
    result.rounds.map(({ number, result: came, reveals, accepted }) => [number, came, reveals, accepted]),
    [1, 2, 3].map(number => [number, 'adopted', 12, 12])
  )
  assert.deepEqual(unexpectedRefusals(result), [])
  const paid = result.rounds.map(({ paidUnits }) => BigInt(paidUnits))
  assert.ok(paid.every(units => units > 0n))
})

test('learners that are lost after their commit hold nothing up but the time to reveal', () => {
  const result = run({ learners: 30, lostPpm: 300_000, rounds: 3 })
  assert.ok(result.rounds.every(round => round.result === 'adopted'))
  assert.ok(result.rounds.some(({ reveals, commits }) => reveals < commits))
  assert.ok(result.rounds.every(({ accepted, reveals }) => accepted === reveals))
  assert.deepEqual(unexpectedRefusals(result), [])
})

test('who comes in the middle of a round fetches the model from its region and takes part', () => {
  const result = run({ newcomersPpm: 1_000_000, rounds: 3, windowMs: 40_000 })
  assert.equal(result.rounds.at(-1)!.commits, 12)
  assert.ok(result.rounds[0]!.learners < 12)
})

test('a primary that says nothing is replaced by a backup as soon as its time is up, and the round is adopted', () => {
  const result = run({ silentRound: 2 })
  assert.equal(result.rounds[1]!.result, 'adopted')
  assert.ok(result.failoverMs! < 3000, String(result.failoverMs))
})

test('regions sum up before primaries where there are enough deltas, and all bytes are somewhere', () => {
  const [few, many] = [run({ learners: 4, regions: 4, operators: 4 }), run({ learners: 24 })]
  assert.deepEqual(
    [few, many].map(({ rounds }) => rounds[1]!.regionSums),
    [0, 2]
  )
  const { traffic, reveals } = many.rounds[1]!
  assert.ok(traffic.delta.nearBytes <= reveals * many.deltaBytes, 'a delta goes to the edge of its region once')
  assert.equal(traffic.delta.farBytes, 0)
  assert.ok(traffic.region.farBytes > 0)
  assert.ok(few.rounds[1]!.traffic.delta.farBytes > 0)
})

test('100 learners in 5 regions send less than the seed says, in all of its rows', () => {
  const row = learningRow(
    runLearning({ setting: { ...defaultSetting, rounds: 2, silentRound: 0 }, createHandlers, sizes })
  )
  assert.equal(row.adopted, 2)
  assert.ok(Math.abs(row.rawMegabytes - seedPath.rawMegabytes) < 100, 'the same baseline')
  assert.ok(row.deltaMegabytesOfRound < seedPath.compressedMegabytes, `${row.deltaMegabytesOfRound} MB of deltas`)
  assert.ok(row.wideUpMegabytes < seedPath.wideMegabytes / 4, `${row.wideUpMegabytes} MB of deltas between regions`)
  assert.ok(row.wideMegabytes < seedPath.wideMegabytes, `${row.wideMegabytes} MB between regions`)
  assert.ok(row.trafficMegabytes < row.seed!.trafficMegabytes / 10, `${row.trafficMegabytes} MB in all`)
  assert.ok(row.utilisation > 0.8, `${row.utilisation} of the time`)
  const picture = drawLearningPicture([row])
  assert.match(picture, /^<svg [^>]+>[\s\S]+<\/svg>\n$/)
  assert.ok(!/script|NaN|Infinity|undefined/.test(picture))
  assert.ok(picture.includes('seed: final WAN'))
})
