import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Mempool } from '../../src/consensus/core/mempool.ts'
import { defaultParameters } from '../../src/consensus/core/parameters.ts'

const poolOf = (limits: object = {}) => new Mempool({ ...defaultParameters, ...limits })
const event = (id: number, sizeBytes = 4) => ({ id: String(id), bytes: new Uint8Array(sizeBytes).fill(id) })
const idsOf = (taken: readonly Uint8Array[]) => taken.map(bytes => bytes[0])

test('events leave in the order they came, within the limits of a vertex', () => {
  const pool = poolOf({ eventsPerVertexMax: 2, bodyBytesMax: 100 })
  for (const id of [1, 2, 3, 4, 5]) pool.add(event(id))
  assert.deepEqual(idsOf(pool.take(1)), [1, 2])
  assert.deepEqual(idsOf(pool.take(2)), [3, 4])
  assert.deepEqual(idsOf(pool.take(3)), [5])
  assert.deepEqual(pool.take(4), [])
})

test('a vertex is filled by bytes with their lengths, and no event jumps ahead', () => {
  const pool = poolOf({ bodyBytesMax: 30 })
  pool.add(event(1, 10))
  pool.add(event(2, 20))
  pool.add(event(3, 1))
  assert.deepEqual(idsOf(pool.take(1)), [1])
  assert.deepEqual(idsOf(pool.take(2)), [2, 3])
})

test('a full pool refuses, by count and by bytes, and takes again when there is room', () => {
  const byCount = poolOf({ mempoolEventsMax: 2 })
  assert.deepEqual(
    [1, 2, 3].map(id => byCount.add(event(id))),
    [true, true, false]
  )
  assert.equal(byCount.add(event(1)), true)
  byCount.remove(['1'])
  assert.equal(byCount.add(event(3)), true)
  const byBytes = poolOf({ mempoolBytesMax: 10 })
  assert.deepEqual([byBytes.add(event(1, 6)), byBytes.add(event(2, 5)), byBytes.add(event(3, 4))], [true, false, true])
})

test('what a lost vertex carried waits again, in its old place', () => {
  const pool = poolOf({ eventsPerVertexMax: 2 })
  for (const id of [1, 2, 3, 4]) pool.add(event(id))
  pool.take(1)
  pool.take(2)
  pool.requeue(round => round === 1)
  pool.add(event(5))
  assert.deepEqual(idsOf(pool.take(3)), [1, 2])
  assert.deepEqual(idsOf(pool.take(4)), [5])
})

test('an event whose predecessor never comes is given up after a few times', () => {
  const pool = poolOf()
  pool.add(event(1))
  let times = 0
  while (pool.size > 0 && times < 100) {
    times++
    assert.equal(pool.take(times).length, 1)
    pool.early(['1'])
  }
  assert.equal(times, 9)
})

test('counts stay right whatever happens', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('add' as const), id: fc.nat(9) }),
    fc.record({ what: fc.constantFrom('take', 'remove', 'early', 'requeue'), id: fc.nat(9) })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const pool = poolOf({ eventsPerVertexMax: 3, mempoolEventsMax: 8, mempoolBytesMax: 28 })
      for (const { what, id } of steps) {
        if (what === 'add') pool.add(event(id))
        if (what === 'take') pool.take(id)
        if (what === 'remove') pool.remove([String(id), String(id + 1)])
        if (what === 'early') pool.early([String(id)])
        if (what === 'requeue') pool.requeue(round => round <= id)
        assert.ok(pool.waitingCount >= 0 && pool.waitingCount <= pool.size && pool.size <= 7)
      }
      pool.requeue(() => true)
      const { size } = pool
      let taken = 0
      for (let batch = pool.take(1); batch.length > 0; batch = pool.take(1)) taken += batch.length
      assert.equal(taken, size)
      assert.equal(pool.waitingCount, 0)
    })
  )
})

test('what cost its author nothing leaves half of the room to others, by count and by bytes', () => {
  const free = (id: number, sizeBytes?: number) => ({ ...event(id, sizeBytes), mustYield: true })
  const byCount = poolOf({ mempoolEventsMax: 4 })
  assert.deepEqual([byCount.add(free(1)), byCount.add(free(2)), byCount.add(free(3))], [true, true, false])
  assert.deepEqual([byCount.add(event(4)), byCount.add(event(5)), byCount.add(event(6))], [true, true, false])
  const byBytes = poolOf({ mempoolBytesMax: 10 })
  assert.deepEqual([byBytes.add(free(1, 5)), byBytes.add(free(2, 1)), byBytes.add(event(3, 5))], [true, false, true])
})
