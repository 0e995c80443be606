import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RelayedEvents } from '../../src/node/relayed-events.ts'
import { alice, SmallNetwork } from '../dag/small-network.ts'

const network = new SmallNetwork()
const eventOf = (text: string) => network.event(alice, 'note', text)

test('an event waits for its turn once, and is not brought in when it is final before', () => {
  const relayed = new RelayedEvents()
  const [first, second, third] = ['one', 'two', 'three'].map(eventOf)
  for (const [event, dueAtMs] of [
    [first, 10],
    [second, 20],
    [third, 20]
  ] as const)
    assert.equal(relayed.add({ event: event!, dueAtMs, mustYield: false }), true)
  assert.equal(relayed.add({ event: first!, dueAtMs: 0, mustYield: false }), false)
  assert.deepEqual(
    relayed.takeDue(10, () => true).map(({ id }) => id),
    [first!.digest]
  )
  relayed.forget(second!.digest)
  assert.deepEqual(
    relayed.takeDue(20, event => event !== third),
    []
  )
  assert.deepEqual(
    relayed.takeDue(20, () => true),
    []
  )
})

test('authors without coins fill half of the room at most', () => {
  const relayed = new RelayedEvents()
  const taken = Array.from({ length: 2100 }, (_, index) =>
    relayed.add({ event: eventOf(`free ${index}`), dueAtMs: 0, mustYield: true })
  )
  assert.equal(taken.filter(Boolean).length, 2048)
  assert.equal(relayed.add({ event: eventOf('paid'), dueAtMs: 0, mustYield: false }), true)
})
