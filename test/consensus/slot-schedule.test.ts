import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultParameters } from '../../src/consensus/core/parameters.ts'
import { SlotSchedule, slotHistoryCommits } from '../../src/consensus/core/slot-schedule.ts'
import { createRandom } from '../sim/random.ts'
import { committeeOf, DagBuilder, OrderingNode } from './dag-builder.ts'
import { randomDag, shuffled } from './random-dag.ts'

const parameters = { ...defaultParameters, presenceCommits: 8 }

test('who is gone loses its slots and gets them back when it is there again', () => {
  const committee = committeeOf(4)
  const dag = new DagBuilder(committee).full(10)
  const node = new OrderingNode(committee, { parameters })
  const slotsAfter = (): readonly boolean[] => node.feed(...dag.vertices).decide().slots
  assert.deepEqual(slotsAfter(), [true, true, true, true])
  dag.full(16, [0, 1, 2])
  assert.deepEqual(slotsAfter(), [true, true, true, false])
  dag.full(24)
  assert.deepEqual(slotsAfter(), [true, true, true, true])
  assert.equal(node.order.length, new Set(node.order).size)
})

test('at most as many lose their slots as may be faulty, the most absent first', () => {
  const committee = committeeOf(4)
  const schedule = new SlotSchedule(committee, parameters)
  for (let index = 1; index <= 16; index++) {
    const authors = index % 3 === 0 ? [0, 1, 2] : [0, 1]
    const vertices = authors.map(author => ({ round: index, author, digest: `${index}/${author}` }))
    schedule.note({ index, round: index, previous: '', timestampMs: 0, vertices })
  }
  assert.deepEqual(schedule.slots, [true, true, true, false])
  assert.deepEqual([schedule.presence[0], schedule.presence[3]], [1, 0])
})

test('vertices that are ordered long after their round do not count as there', () => {
  const committee = committeeOf(4)
  const schedule = new SlotSchedule(committee, parameters)
  for (let index = 1; index <= 16; index++) {
    const vertices = [0, 1, 2].map(author => ({ round: index, author, digest: `${index}/${author}` }))
    if (index > 3) vertices.push({ round: index - 3, author: 3, digest: `${index - 3}/3` })
    schedule.note({ index, round: index, previous: '', timestampMs: 0, vertices })
  }
  assert.deepEqual(schedule.slots, [true, true, true, false])
})

test('slots are a function of the last commits: a node that begins with those has the same', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 4, max: 7 }), (seed, size) => {
      const random = createRandom(seed)
      const committee = committeeOf(size)
      const absent = random.integer(0, size - 1)
      const commits = Array.from({ length: random.integer(20, 60) }, (_, place) => ({
        index: place + 1,
        round: place + 1,
        previous: '',
        timestampMs: 0,
        vertices: committee.validators.flatMap((_, author) =>
          random.chance(author === absent ? 0.4 : 0.9)
            ? [{ round: place + 1, author, digest: `${place}/${author}` }]
            : []
        )
      }))
      const [all, late] = [new SlotSchedule(committee, parameters), new SlotSchedule(committee, parameters)]
      for (const commit of commits) all.note(commit)
      for (const commit of commits.slice(-slotHistoryCommits(parameters))) late.note(commit)
      assert.deepEqual(late.slots, all.slots)
      assert.deepEqual(late.presence, all.presence)
    }),
    { numRuns: 60 }
  )
})

test('with slots that come and go, every arrival order still ends with the same commits', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const committee = committeeOf(random.pick([4, 5, 7]))
      const small = { parameters: { presenceCommits: 4 } }
      const vertices = randomDag(random, committee, { rounds: 30, liar: 1, idler: 2 })
      const inOrder = new OrderingNode(committee, small).feed(...vertices).decide()
      const piecemeal = new OrderingNode(committee, small)
      for (const vertex of shuffled(random, vertices)) {
        piecemeal.feed(vertex)
        if (random.chance(0.2)) piecemeal.decide()
      }
      assert.deepEqual(piecemeal.decide().commits, inOrder.commits)
      assert.deepEqual(piecemeal.slots, inOrder.slots)
    }),
    { numRuns: 40 }
  )
})
