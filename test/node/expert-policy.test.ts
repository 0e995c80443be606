import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decayed,
  decideKeeping,
  type ExpertSight,
  hotExperts,
  type KeepingRules,
  keepingRules
} from '../../src/node/experts/expert-policy.ts'

const hourMs = 3_600_000
const nowMs = 10 * hourMs

function sight(name: string, fields: Partial<ExpertSight> = {}): ExpertSight {
  return {
    name,
    bytes: 100,
    isHere: false,
    isWanted: false,
    isOurs: false,
    uses: 0,
    usesElsewhere: 0,
    lastUsedMs: nowMs,
    holders: 1,
    ...fields
  }
}

function rules(bytesMax: number, fields: Partial<KeepingRules> = {}): KeepingRules {
  return { ...keepingRules, bytesMax, ...fields }
}

const sights = fc
  .array(
    fc.record({
      bytes: fc.integer({ min: 1, max: 1000 }),
      isHere: fc.boolean(),
      isWanted: fc.boolean(),
      isOurs: fc.boolean(),
      uses: fc.integer({ min: 0, max: 200 }),
      usesElsewhere: fc.integer({ min: 0, max: 200 }),
      lastUsedMs: fc.integer({ min: 0, max: nowMs }),
      holders: fc.integer({ min: 0, max: 4 })
    }),
    { maxLength: 40 }
  )
  .map(list => list.map((fields, place) => sight(`e${place}`, fields)))

const bytesOf = (list: readonly ExpertSight[]): number => list.reduce((total, { bytes }) => total + bytes, 0)

test('the budget holds, except for what the operator keeps or brought and what was there before it shrank', () => {
  fc.assert(
    fc.property(sights, fc.integer({ min: 0, max: 8000 }), (experts, bytesMax) => {
      const { fetch, drop } = decideKeeping(experts, rules(bytesMax), nowMs)
      const after = experts.filter(({ name, isHere }) => (isHere && !drop.includes(name)) || fetch.includes(name))
      const fixedBytes = bytesOf(after.filter(one => one.isHere && (one.isWanted || !one.isOurs)))
      assert.ok(bytesOf(after) <= Math.max(bytesMax, fixedBytes))
    })
  )
})

test('nothing goes that the operator wants or brought, and nothing comes that is here', () => {
  fc.assert(
    fc.property(sights, fc.integer({ min: 0, max: 8000 }), (experts, bytesMax) => {
      const byName = new Map(experts.map(expert => [expert.name, expert]))
      const { fetch, drop } = decideKeeping(experts, rules(bytesMax), nowMs)
      for (const name of drop) {
        const gone = byName.get(name)!
        assert.ok(gone.isHere && gone.isOurs && !gone.isWanted)
      }
      for (const name of fetch) assert.equal(byName.get(name)!.isHere, false)
      assert.equal(new Set(fetch).size, fetch.length)
      assert.ok(fetch.length <= keepingRules.fetchesMax)
    })
  )
})

test('the decision does not depend on the order in which experts are seen', () => {
  fc.assert(
    fc.property(sights, fc.integer({ min: 0, max: 8000 }), fc.integer(), (experts, bytesMax, turn) => {
      const at = experts.length === 0 ? 0 : Math.abs(turn) % experts.length
      const turned = [...experts.slice(at), ...experts.slice(0, at)]
      assert.deepEqual(decideKeeping(turned, rules(bytesMax), nowMs), decideKeeping(experts, rules(bytesMax), nowMs))
    })
  )
})

test('what is decided once is decided: done as told, there is nothing more to do but fetch the rest', () => {
  fc.assert(
    fc.property(sights, fc.integer({ min: 0, max: 8000 }), (experts, bytesMax) => {
      const all = rules(bytesMax, { fetchesMax: experts.length })
      const { fetch, drop } = decideKeeping(experts, all, nowMs)
      const after = experts.map(expert => {
        const isHere = (expert.isHere && !drop.includes(expert.name)) || fetch.includes(expert.name)
        return { ...expert, isHere, isOurs: expert.isOurs || fetch.includes(expert.name) }
      })
      const again = decideKeeping(after, all, nowMs)
      assert.deepEqual(again.drop, [])
    })
  )
})

test('an expert unused for an hour goes, unless it is the last known copy', () => {
  const cold = sight('cold', { isHere: true, isOurs: true, lastUsedMs: nowMs - hourMs })
  const warm = sight('warm', { isHere: true, isOurs: true, lastUsedMs: nowMs - hourMs + 1 })
  const last = sight('last', { isHere: true, isOurs: true, lastUsedMs: 0, holders: 0 })
  assert.deepEqual(decideKeeping([cold, warm, last], rules(1000), nowMs).drop, ['cold'])
})

test('a much used expert takes the place of a little used one; what is about as used does not', () => {
  const here = sight('here', { isHere: true, isOurs: true, uses: 10 })
  const busy = sight('busy', { uses: 16 })
  const similar = sight('similar', { uses: 14 })
  const decided = decideKeeping([here, busy], rules(100), nowMs)
  assert.deepEqual([decided.fetch, decided.drop], [['busy'], ['here']])
  assert.deepEqual(decideKeeping([here, similar], rules(100), nowMs).fetch, [])
})

test('what others say of an expert fills free room and takes nobody its place', () => {
  const here = sight('here', { isHere: true, isOurs: true, uses: 1 })
  const offered = sight('offered', { usesElsewhere: 100_000 })
  assert.deepEqual(decideKeeping([here, offered], rules(100), nowMs).fetch, [])
  assert.deepEqual(decideKeeping([here, offered], rules(200), nowMs).fetch, ['offered'])
})

test('experts used together come together', () => {
  const experts = ['a', 'b', 'c'].map(name => sight(name, { uses: name === 'a' ? 100 : 0 }))
  const groupOf = (name: string): string[] => (name === 'a' ? ['c'] : [])
  assert.deepEqual(decideKeeping(experts, rules(1000), nowMs, groupOf).fetch, ['a', 'c'])
})

test('what the operator wants comes first, and is named when it does not fit', () => {
  const wanted = sight('wanted', { isWanted: true })
  const huge = sight('huge', { isWanted: true, bytes: 5000 })
  const busy = sight('busy', { uses: 1000 })
  const decided = decideKeeping([busy, huge, wanted], rules(100), nowMs)
  assert.deepEqual([decided.fetch, decided.tooLarge], [['wanted'], ['huge']])
})

test('the hottest are five of a hundred, of those that are used at all', () => {
  const experts = Array.from({ length: 100 }, (_, place) => sight(`e${place}`, { uses: place }))
  assert.deepEqual(hotExperts(experts, rules(0)), ['e99', 'e98', 'e97', 'e96', 'e95'])
  assert.deepEqual(hotExperts([sight('idle')], rules(0)), [])
})

test('uses halve after each half-life and never grow', () => {
  assert.equal(decayed(8, 600_000, 600_000), 4)
  assert.equal(decayed(8, 0, 600_000), 8)
  assert.equal(decayed(8, -5, 600_000), 8)
})
