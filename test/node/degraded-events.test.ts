import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DegradedEvents } from '../../src/node/degraded-events.ts'
import { alice, SmallNetwork } from '../dag/small-network.ts'

function executedNotes(count: number) {
  const network = new SmallNetwork()
  return Array.from({ length: count }, (_, index) => {
    const { events } = network.order(network.event(alice, 'note', `note ${index}`))
    return { entry: index, executed: events[0]!, commitIndex: index + 1, dueAtMs: 100 * (index + 1) }
  })
}
const entriesOf = (found: readonly { entry: number }[]) => found.map(({ entry }) => entry)

test('a certificate makes final what its commits hold, and nothing later', () => {
  const waiting = new DegradedEvents<number>(10)
  for (const event of executedNotes(4)) assert.equal(waiting.add(event), undefined)
  assert.deepEqual(entriesOf(waiting.takeCertified(2)), [0, 1])
  assert.deepEqual(entriesOf(waiting.takeCertified(2)), [])
  assert.equal(waiting.size, 2)
  assert.deepEqual(entriesOf(waiting.takeCertified(99)), [2, 3])
  assert.equal(waiting.size, 0)
})

test('a submitter is told once that its event is degraded, and the event still turns final', () => {
  const waiting = new DegradedEvents<number>(10)
  const events = executedNotes(3)
  for (const event of events) waiting.add(event)
  assert.deepEqual(entriesOf(waiting.takeDue(200)), [0, 1])
  assert.deepEqual(entriesOf(waiting.takeDue(250)), [])
  assert.equal(waiting.get(events[0]!.executed.event.digest)?.entry, 0)
  assert.deepEqual(entriesOf(waiting.takeCertified(3)), [0, 1, 2])
  assert.deepEqual(entriesOf(waiting.takeDue(1000)), [])
})

test('it is bounded: the oldest is let go and given back, so that its submitter can be told', () => {
  const waiting = new DegradedEvents<number>(2)
  const dropped = executedNotes(5).map(event => waiting.add(event)?.entry)
  assert.deepEqual(dropped, [undefined, undefined, 0, 1, 2])
  assert.equal(waiting.size, 2)
  assert.deepEqual(entriesOf(waiting.takeCertified(5)), [3, 4])
})
