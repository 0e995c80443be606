import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCommittee } from '../../src/consensus/index.ts'
import { certificateOverdueMs, listOf, quorumHealth } from '../../src/node/quorum-health.ts'

const committeeOf = (count: number, degraded: 'none' | 'crash' = 'none') =>
  createCommittee(
    0,
    Array.from({ length: count }, (_, index) => ({
      name: `v${index}`,
      publicKey: Uint8Array.of(index),
      peerId: `peer${index}`,
      origin: '',
      region: '',
      weight: 1
    })),
    { degraded }
  )
const modeOf = (count: number, present: readonly number[], degraded: 'none' | 'crash', uncertifiedMs = 0) =>
  quorumHealth(committeeOf(count, degraded), author => present.includes(author), uncertifiedMs).mode

test('a network of three that degrades goes on with two, without finality, and stops with one', () => {
  assert.equal(modeOf(3, [0, 1, 2], 'crash'), 'final')
  assert.equal(modeOf(3, [0, 2], 'crash'), 'degraded')
  assert.equal(modeOf(3, [1], 'crash'), 'stopped')
})

test('any other network has finality or stands still', () => {
  assert.equal(modeOf(3, [0, 1], 'none'), 'stopped')
  assert.equal(modeOf(4, [0, 1, 3], 'none'), 'final')
  assert.equal(modeOf(4, [0, 1], 'none'), 'stopped')
})

test('a third that is connected and does not sign degrades the network once a certificate is overdue', () => {
  assert.equal(modeOf(3, [0, 1, 2], 'crash', certificateOverdueMs - 1), 'final')
  assert.equal(modeOf(3, [0, 1, 2], 'crash', certificateOverdueMs), 'degraded')
  assert.equal(modeOf(4, [0, 1, 2, 3], 'none', certificateOverdueMs), 'final')
})

test('those who are missing are named in the order of the set', () => {
  const health = quorumHealth(committeeOf(4), author => author === 2, 0)
  assert.deepEqual([health.weight, health.missing], [1, [0, 1, 3]])
  assert.deepEqual(
    [listOf([]), listOf(['a']), listOf(['a', 'b']), listOf(['a', 'b', 'c'])],
    ['nobody', 'a', 'a and b', 'a, b and c']
  )
})
