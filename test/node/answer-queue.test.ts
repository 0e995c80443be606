import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBlyanError } from '../../src/errors/index.ts'
import {
  type AnswerPlace,
  createAnswerQueue,
  retryAfterMsMax,
  retryAfterMsMin
} from '../../src/node/answers/answer-queue.ts'

const stays = new AbortController().signal

test('a thousand at once: some run, some wait, the others are told when to come back; nobody is forgotten', async () => {
  const queue = createAnswerQueue({ answersMax: 4, queueMax: 16 })
  const places: AnswerPlace[] = []
  const refused: unknown[] = []
  const asked = Array.from({ length: 1000 }, () =>
    queue.enter(stays).then(
      place => places.push(place),
      error => refused.push(error)
    )
  )
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual([places.length, queue.running, queue.waiting, refused.length], [4, 4, 16, 980])
  for (const error of refused) {
    assert.ok(isBlyanError(error, 'ANSWER_QUEUE_FULL'))
    const { retryAfterMs } = error.payload as { retryAfterMs: number }
    assert.ok(retryAfterMs >= retryAfterMsMin && retryAfterMs <= retryAfterMsMax)
  }
  for (let left = 0; left < 20; left++) {
    places[left]!.leave(10)
    places[left]!.leave(10)
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(asked)
  assert.deepEqual([places.length, queue.running, queue.waiting], [20, 0, 0])
})

test('first come, first served', async () => {
  const queue = createAnswerQueue({ answersMax: 1, queueMax: 8 })
  const order: string[] = []
  const first = await queue.enter(stays)
  const others = ['b', 'c', 'd'].map(async name => {
    const place = await queue.enter(stays)
    order.push(name)
    place.leave()
  })
  first.leave()
  await Promise.all(others)
  assert.deepEqual(order, ['b', 'c', 'd'])
})

test('who gives up while waiting leaves no trace', async () => {
  const queue = createAnswerQueue({ answersMax: 1, queueMax: 1 })
  const first = await queue.enter(stays)
  const givesUp = new AbortController()
  const waiting = queue.enter(givesUp.signal)
  givesUp.abort(new Error('gone'))
  await assert.rejects(waiting, /gone/)
  assert.equal(queue.waiting, 0)
  first.leave()
  assert.equal(queue.running, 0)
  await assert.rejects(queue.enter(AbortSignal.abort(new Error('before'))), /before/)
})
