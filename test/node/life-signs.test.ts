import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { LifeSigns, type Watched } from '../../src/node/life-signs.ts'
import { registryNodes } from '../../src/node/registry-nodes.ts'

const owner: Watched = { account: 'owner', peerId: 'peer', place: 0, traces: '', isDutyLate: false }

/** A world in which the test says what time it is, who is connected, who signs and who answers. */
class Around {
  nowMs = 0
  connected = ['peer']
  rounds = [1, 1, 1, 1]
  answers = true
  pings = 0
  readonly signs = new LifeSigns({
    network: {
      peers: () => this.connected.map(peerId => ({ peerId }) as never),
      ping: async () => {
        this.pings++
        if (!this.answers) throw new Error('no pong')
        return 7
      }
    },
    view: () => ({ self: 1, members: this.rounds.map(lastRound => ({ connected: true, lastRound })) }),
    askAfterMs: () => 12_000,
    nowMs: () => this.nowMs
  })

  async look(watched: Watched = owner, afterMs = 1000) {
    this.nowMs += afterMs
    this.signs.look([watched], 10_000)
    await setImmediate()
    return this.signs.look([watched], 10_000).get(watched.account)!
  }
}

test('vertices are signs of life: who signs is not asked', async () => {
  const around = new Around()
  await around.look()
  const first = around.pings
  for (let second = 0; second < 60; second++) {
    if (second % 10 === 0) around.rounds = around.rounds.map(round => round + 2)
    const { silentMs, isSigning } = await around.look()
    assert.ok(silentMs !== null && silentMs <= 10_000)
    assert.equal(isSigning, true)
  }
  // Once at the beginning, for how quick it is.
  assert.deepEqual([first, around.pings], [1, 1])
})

test('who is silent is asked, and what it answers is a sign of life', async () => {
  const around = new Around()
  for (let second = 0; second < 60; second++) {
    const { silentMs, responseMs } = await around.look()
    assert.ok(silentMs !== null && silentMs <= 12_000, `${silentMs}`)
    assert.equal(responseMs, 7)
  }
  assert.ok(around.pings <= 6, `${around.pings} pings`)
})

test('who is gone is silent for as long as it is gone', async () => {
  const around = new Around()
  await around.look()
  around.connected = []
  for (let second = 0; second < 40; second++) await around.look()
  const { silentMs, isConnected } = await around.look()
  assert.deepEqual([silentMs, isConnected], [41_000, false])
})

test('a process that hangs is connected and silent', async () => {
  const around = new Around()
  await around.look()
  around.answers = false
  for (let second = 0; second < 40; second++) await around.look()
  const { silentMs, isConnected } = await around.look()
  assert.deepEqual([silentMs, isConnected], [41_000, true])
})

test('a validator that answers and does not sign while others do is not signing', async () => {
  const around = new Around()
  await around.look()
  for (let second = 0; second < 20; second++) {
    around.rounds = [1, ...around.rounds.slice(1).map(round => round + 1)]
    await around.look()
  }
  assert.equal((await around.look()).isSigning, false)
  assert.equal((await around.look({ ...owner, place: undefined })).isSigning, null)
})

test('what the state says of a node is a sign of life where it is not connected', async () => {
  const around = new Around()
  around.connected = []
  await around.look()
  assert.equal((await around.look()).silentMs, null)
  assert.equal((await around.look({ ...owner, traces: '5' })).silentMs, 0)
  assert.equal((await around.look({ ...owner, traces: '5' })).silentMs, 1000)
})

test('a machine that slept begins to look anew instead of finding everybody silent', async () => {
  const around = new Around()
  around.answers = false
  for (let second = 0; second < 20; second++) await around.look()
  const { watchedMs, silentMs } = await around.look(owner, 60_000)
  assert.deepEqual([watchedMs, silentMs], [0, null])
})

test('a registry lists itself and connected peers whose address is known, a few addresses each', () => {
  const peerId = (letter: string): string => '12D3KooW'.padEnd(52, letter)
  const at = (port: number, letter: string): string => `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId(letter)}`
  const nodes = registryNodes({
    peerId: peerId('a'),
    peers: () => [{ peerId: peerId('b') }, { peerId: peerId('c') }] as never,
    addresses: () => [1, 2, 3, 4, 5].map(port => at(port, 'a')),
    knownAddresses: () => [
      at(6, 'b'),
      at(6, 'b'),
      at(7, 'd'),
      '/ip4/127.0.0.1/tcp/8',
      `${'/x'.repeat(100)}${at(9, 'c')}`
    ]
  })
  assert.deepEqual(nodes, [
    { peerId: peerId('a'), addresses: [1, 2, 3, 4].map(port => at(port, 'a')) },
    { peerId: peerId('b'), addresses: [at(6, 'b')] }
  ])
})
