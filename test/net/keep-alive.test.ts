import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { KeepAlive } from '../../src/net/keep-alive.ts'
import { networkLimits } from '../../src/net/protocols.ts'

/** A connection that answers pings until told not to. */
function pulse() {
  const time = { nowMs: 0 }
  const state = { answers: true, pings: 0, givenUp: 0 }
  const connection = {
    newStream: async () => {
      state.pings++
      if (!state.answers) throw new Error('nobody there')
      return {
        send: () => true,
        close: async () => {},
        async *[Symbol.asyncIterator]() {
          yield new Uint8Array(20)
          yield new Uint8Array(12)
        }
      }
    }
  } as unknown as Connection
  const keepAlive = new KeepAlive({
    connections: () => [['peer', connection]],
    giveUp: () => state.givenUp++,
    nowMs: () => time.nowMs
  })
  keepAlive.admitted('peer')
  const pass = async (passedMs: number) => {
    for (const endMs = time.nowMs + passedMs; time.nowMs < endMs; time.nowMs += networkLimits.keepAliveRoundMs) {
      keepAlive.round()
      await new Promise(setImmediate)
    }
  }
  return { keepAlive, state, pass }
}

test('who speaks by itself is pinged for its round trip only', async () => {
  const { keepAlive, state, pass } = pulse()
  for (let second = 0; second < 600; second += 10) {
    await pass(10_000)
    keepAlive.heard('peer')
  }
  assert.deepEqual({ ...state }, { answers: true, pings: 1, givenUp: 0 })
  assert.equal(typeof keepAlive.roundTripMs('peer'), 'number')
})

test('who is silent and answers is kept, who is silent and does not is given up', async () => {
  const { state, pass } = pulse()
  await pass(10 * networkLimits.keepAliveSilentMs)
  assert.equal(state.givenUp, 0)
  assert.ok(state.pings >= 9, `${state.pings} pings`)
  state.answers = false
  await pass(networkLimits.keepAliveSilentMs + networkLimits.keepAliveRoundMs)
  assert.ok(state.givenUp > 0)
})

test('who speaks is not given up for a ping that fails', async () => {
  const { keepAlive, state, pass } = pulse()
  state.answers = false
  for (let second = 0; second < 1300; second += 10) {
    keepAlive.heard('peer')
    await pass(10_000)
  }
  assert.deepEqual([state.pings, state.givenUp], [3, 0])
})
