import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Recovery } from '../../src/consensus/core/recovery.ts'
import { committeeOf } from './dag-builder.ts'

const confirmMs = 10_000
const recovery = (size: number) => new Recovery(committeeOf(size), 0, confirmMs)
const said = (seenRound: number, ownRound: number) => ({ seenRound, ownRound })

test('a key with a lost floor waits for a quorum of others and goes on two rounds above all they know', () => {
  const one = recovery(4)
  one.answer(1, said(7, 9), 0)
  one.answer(2, said(8, 9), 0)
  assert.deepEqual(one.waitingFor, [3])
  assert.equal(one.floor(0, 9), undefined)
  one.answer(3, said(0, 3), 1)
  assert.equal(one.floor(1, 9), 11)
})

test('in larger networks a quorum is enough', () => {
  const one = recovery(7)
  for (const author of [1, 2, 3, 4]) one.answer(author, said(0, 5), 0)
  assert.equal(one.floor(0, 5), undefined)
  one.answer(5, said(0, 5), 0)
  assert.equal(one.floor(0, 5), 7)
})

test('a claim that nobody can show is waited for, and then does not count', () => {
  const one = recovery(4)
  for (const author of [1, 2]) one.answer(author, said(4, 5), 0)
  one.answer(3, said(1_000_000, 1_000_000), 0)
  assert.equal(one.floor(confirmMs - 1, 6), undefined)
  assert.equal(one.floor(confirmMs, 6), 8)
})

test('a claim that is shown in time counts', () => {
  const one = recovery(4)
  for (const author of [1, 2, 3]) one.answer(author, said(4, author === 3 ? 12 : 5), 0)
  assert.equal(one.floor(1, 5), undefined)
  assert.equal(one.floor(2, 12), 14)
})

test('our own answer, and one answer twice, make no quorum', () => {
  const one = recovery(4)
  one.answer(0, said(1, 1), 0)
  one.answer(1, said(1, 1), 0)
  one.answer(1, said(1, 1), 0)
  assert.equal(one.floor(confirmMs * 2, 9), undefined)
  assert.deepEqual(one.waitingFor, [2, 3])
})

test('everybody is asked, again after a while, and not once they have answered', () => {
  const one = recovery(4)
  const peers = [
    ['a', 1],
    ['b', 2],
    ['follower', undefined]
  ] as const
  assert.deepEqual(one.toAsk(0, peers), ['a', 'b'])
  assert.deepEqual(one.toAsk(1, peers), [])
  one.answer(1, said(1, 1), 2)
  assert.deepEqual(one.toAsk(5000, peers), ['b'])
})

test('a network that has signed nothing at all may begin', () => {
  const one = recovery(4)
  for (const author of [1, 2, 3]) one.answer(author, said(0, 0), 0)
  assert.equal(one.floor(0, 0), 0)
})

test('alone there is nobody to ask', () => {
  assert.equal(recovery(1).floor(0, 0), 0)
})
