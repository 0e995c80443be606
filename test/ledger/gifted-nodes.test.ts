import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { giftConsent, giftedNodes, noteGiftedObserved } from '../../src/ledger/gifted/index.ts'
import { addGifted, giftedMax, readGifted, writeGifted } from '../../src/ledger/gifted/node.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import {
  beat,
  gift,
  giftedWorld,
  heartbeatMs,
  machine,
  nodeKey,
  nodeOf,
  registration,
  silentMs
} from './gifted-world.ts'
import { bly, operatorKey, poor, rich } from './ledger-world.ts'

const deposit = 100n * bly
const fee = bly / 1000n

test('a node that gives itself is on the list, and its deposit is held', () => {
  const world = giftedWorld()
  const key = gift(world, 'a')
  const [node] = giftedNodes(world.state)
  assert.deepEqual(
    [node!.account, node!.specialisation, node!.isActive, node!.capacities],
    [accountOf(key), 'core', true, { consensusWeight: 1, validationCapacity: 100 }]
  )
  assert.equal(world.balance(key), 1000n * bly - deposit - fee)
  assert.equal(world.balance(systemAccounts.escrow), deposit)
  world.requireConserved()
})

test('whoever gives a node to another account signs the node, the network and the terms', () => {
  const world = giftedWorld()
  const key = nodeKey(world, 'a')
  const apply = (changes: Record<string, unknown>): string =>
    world.apply(key, 'gifted-register', { ...registration(world, key, { gifter: rich }), ...changes })
  const agreed = { account: accountOf(key), kind: 'miner' as const, uptimePpm: 900_000, sharePpm: 250_000 }
  assert.equal(apply({ consent: '' }), 'GIFTED_CONSENT_WRONG')
  assert.equal(apply({ sharePpm: 250_001 }), 'GIFTED_CONSENT_WRONG')
  assert.equal(apply({ uptimePpm: 1 }), 'GIFTED_CONSENT_WRONG')
  assert.equal(apply({ giftedBy: { kind: 'validator', account: accountOf(rich) } }), 'GIFTED_CONSENT_WRONG')
  assert.equal(apply({ consent: giftConsent(new Uint8Array(32), agreed, rich) }), 'GIFTED_CONSENT_WRONG')
  const forAnother = giftConsent(world.genesis.digest, { ...agreed, account: accountOf(poor) }, rich)
  assert.equal(apply({ consent: forAnother }), 'GIFTED_CONSENT_WRONG')
  assert.equal(apply({}), '')
  world.requireConserved()
})

test('what a registration lacks has a code of its own, and costs nothing', () => {
  const world = giftedWorld()
  const key = nodeKey(world, 'a')
  const other = gift(world, 'b')
  const before = world.balance(key)
  const tried: Record<string, Record<string, unknown>> = {
    GIFTED_GIFTER_NOT_VALIDATOR: registration(world, key, { kind: 'validator' }),
    GIFTED_PRIORITY_WRONG: registration(world, key, { kind: 'miner', priority: 'high' }),
    GIFTED_PEER_TAKEN: registration(world, key, { peer: accountOf(other) }),
    OPERATOR_PROOF_WRONG: { ...registration(world, key), peerProof: '00'.repeat(64) },
    ACCOUNT_INVALID: { ...registration(world, key), giftedBy: { kind: 'miner', account: 'me' } },
    EVENT_PAYLOAD_INVALID: { ...registration(world, key), measured: { ...machine, cores: 0.5 } }
  }
  for (const [code, payload] of Object.entries(tried)) {
    assert.equal(world.apply(key, 'gifted-register', payload), code)
    assert.equal(world.balance(key), before, code)
  }
  assert.equal(
    world.apply(key, 'gifted-register', registration(world, key, { kind: 'deployer' })),
    'GIFTED_PRIORITY_WRONG'
  )
  assert.equal(world.apply(other, 'gifted-register', registration(world, other)), 'GIFTED_ALREADY')
  assert.equal(world.apply(poor, 'gifted-register', registration(world, poor)), 'BALANCE_TOO_LOW')
  assert.equal(giftedNodes(world.state).length, 1)
})

test('an operator gives as validator, a deployer with a priority', () => {
  const world = giftedWorld()
  gift(world, 'a', { kind: 'validator', gifter: operatorKey(1) })
  const key = gift(world, 'b', { kind: 'deployer', priority: 'high' })
  assert.equal(nodeOf(world, key).priority, 'high')
})

test('heartbeats are free, and not sent more often than twice as often as asked', () => {
  const world = giftedWorld()
  const key = gift(world, 'a')
  const before = world.balance(key)
  const send = (): string => world.apply(key, 'gifted-heartbeat', { measured: { ...machine, memoryBytes: 2 ** 31 } })
  world.commit(heartbeatMs / 2 - 1)
  assert.equal(send(), 'GIFTED_HEARTBEAT_EARLY')
  world.commit(1)
  assert.equal(send(), '')
  assert.equal(world.balance(key), before)
  const { leastMeasured, measured } = nodeOf(world, key)
  assert.deepEqual([leastMeasured.memoryBytes, measured.memoryBytes, leastMeasured.cores], [2 ** 31, 2 ** 31, 4])
  assert.equal(world.apply(rich, 'gifted-heartbeat', { measured: machine }), 'GIFTED_UNKNOWN')
})

test('a silent node is not counted upon, comes back by a heartbeat, and is taken off after a week', () => {
  const world = giftedWorld()
  const key = gift(world, 'a')
  world.commit(silentMs - 1)
  assert.equal(nodeOf(world, key).isActive, true)
  world.commit(1)
  assert.equal(nodeOf(world, key).isActive, false)
  beat(world, [key], 1)
  assert.equal(nodeOf(world, key).isActive, true)
  world.commit(silentMs)
  assert.equal(nodeOf(world, key).isActive, false)
  world.commit(7 * 24 * 3_600_000)
  assert.deepEqual(giftedNodes(world.state), [])
  assert.equal(world.balance(systemAccounts.escrow), 0n)
  assert.ok(world.balance(key) >= 1000n * bly - fee)
  world.requireConserved()
})

test('only the node or its gifter retires it; the deposit goes back, and it can come again', () => {
  const world = giftedWorld()
  const key = gift(world, 'a', { gifter: operatorKey(2) })
  const account = accountOf(key)
  assert.equal(world.apply(rich, 'gifted-retire', { account }), 'GIFTED_NOT_YOURS')
  assert.equal(world.apply(operatorKey(2), 'gifted-retire', { account }), '')
  assert.equal(world.apply(operatorKey(2), 'gifted-retire', { account }), 'GIFTED_UNKNOWN')
  assert.equal(world.balance(key), 1000n * bly - fee)
  gift(world, 'a')
  assert.equal(world.apply(key, 'gifted-retire', { account }), '')
  // What the agenda still has of both lives acts on nothing.
  world.commit(silentMs)
  world.commit(8 * 24 * 3_600_000)
  assert.deepEqual(
    [...world.state.entries()].filter(([name]) => name.startsWith('gifted/node/')),
    []
  )
  world.requireConserved()
})

test('a full list lets a silent node give way, and none that serves', () => {
  const world = giftedWorld()
  const first = gift(world, 'first')
  const account = (place: number): string => accountOf(keyOf(`place ${place}`))
  for (let place = 1; place < giftedMax; place++)
    addGifted(world.state, { ...nodeOf(world, first), account: account(place), peerId: `${place}`, depositUnits: '0' })
  assert.ok(world.state.bytesOf('gifted/accounts')!.length < 64 * 1024)
  const late = nodeKey(world, 'late')
  const join = (): string => world.apply(late, 'gifted-register', registration(world, late))
  assert.equal(join(), 'GIFTED_FULL')
  for (const [place, heartbeat] of [
    [7, 2],
    [300, 1],
    [400, 3]
  ] as const)
    writeGifted(world.state, {
      ...readGifted(world.state, account(place))!,
      isActive: false,
      heartbeatMs: heartbeat
    })
  assert.equal(join(), '')
  const accounts = giftedNodes(world.state).map(node => node.account)
  assert.deepEqual(
    [accounts.length, accounts.includes(account(300)), accounts.includes(account(7)), accounts.at(-1)],
    [giftedMax, false, true, accountOf(late)]
  )
  world.requireConserved()
})

test('what validators saw of a node is counted for it alone', () => {
  const world = giftedWorld()
  const key = gift(world, 'a')
  noteGiftedObserved(world.state, accountOf(key), true)
  noteGiftedObserved(world.state, accountOf(key), false)
  noteGiftedObserved(world.state, accountOf(rich), false)
  assert.deepEqual(nodeOf(world, key).observed, { reachable: 1, unreachable: 1 })
})
