import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { expertReward, validatorReward } from '../../src/ledger/rewards/formulas.ts'

type ValidatorCase = {
  baseUnits: string
  committed: number
  rounds: number
  presentMs: number
  spanMs: number
  lateMsTotal: number
  roundsMeasured: number
  speedLimitMs: number
  invalid: number
  penaltyUnits: string
  rewardUnits: string
}
type ExpertCase = {
  baseUnits: string
  expertCalls: number
  calls: number
  responseMsTotal: number
  scorePpm: number
  idleMs: number
  rewardUnits: string
}
const vectors: { validators: ValidatorCase[]; experts: ExpertCase[] } = JSON.parse(
  readFileSync(new URL('../vectors/rewards.json', import.meta.url), 'utf8')
)

test('300 rewards are to the unit what the seed says, computed elsewhere in exact fractions', () => {
  assert.equal(vectors.validators.length + vectors.experts.length, 300)
  for (const { baseUnits, speedLimitMs, invalid, penaltyUnits, rewardUnits, ...counts } of vectors.validators) {
    const terms = { baseUnits: BigInt(baseUnits), speedLimitMs }
    // What the seed calls invalid signatures is here a wrong vote or a punishment: either alone costs the bonus.
    for (const faults of [
      { wrongVotes: invalid, punishments: 0 },
      { wrongVotes: 0, punishments: invalid }
    ]) {
      const work = { ...counts, ...faults, penaltyUnits: BigInt(penaltyUnits) }
      assert.equal(validatorReward(work, terms).toString(), rewardUnits, JSON.stringify({ ...counts, ...faults }))
    }
  }
  for (const { baseUnits, rewardUnits, ...work } of vectors.experts)
    assert.equal(expertReward(work, BigInt(baseUnits)).toString(), rewardUnits, JSON.stringify(work))
})

test('nothing committed earns nothing, and no time counted is no uptime', () => {
  const nothing = { presentMs: 0, spanMs: 0, lateMsTotal: 0, roundsMeasured: 0, wrongVotes: 0, punishments: 0 }
  const terms = { baseUnits: 1000n, speedLimitMs: 100 }
  assert.equal(validatorReward({ ...nothing, committed: 0, rounds: 0, penaltyUnits: 0n }, terms), 0n)
  assert.equal(validatorReward({ ...nothing, committed: 1, rounds: 1, penaltyUnits: 0n }, terms), 1200n)
})

test('an expert earns no more by being served under several accounts', () => {
  const base = 10n ** 10n
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 16 }), parts => {
      const expertCalls = parts.reduce((sum, calls) => sum + calls, 0)
      const of = (calls: number): bigint =>
        expertReward({ expertCalls, calls, responseMsTotal: calls * 100, idleMs: 0, scorePpm: 500_000 }, base)
      const apart = parts.reduce((sum, calls) => sum + of(calls), 0n)
      assert.ok(apart <= of(expertCalls))
      assert.ok(of(expertCalls) - apart < BigInt(parts.length))
    })
  )
})
