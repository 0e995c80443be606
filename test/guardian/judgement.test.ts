import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeSigns, type Signs } from '../../src/guardian/index.ts'

const limits = { responseMs: 2000, degradedAfterMs: 15_000, failedAfterMs: 30_000 }
const well: Signs = {
  watchedMs: 100_000,
  silentMs: 0,
  isConnected: true,
  responseMs: 20,
  isSigning: true,
  isDutyLate: false
}
const judged = (change: Partial<Signs>) => judgeSigns({ ...well, ...change }, limits)

test('healthy: heard lately, quick, and at work', () => {
  assert.deepEqual(judged({}), { health: 'healthy', issues: [] })
  assert.equal(judged({ silentMs: 14_999 }).health, 'healthy')
  assert.equal(judged({ responseMs: 2000 }).health, 'healthy')
  assert.equal(judged({ responseMs: null, isSigning: null }).health, 'healthy')
  // Others hear it and pass on what it says.
  assert.equal(judged({ isConnected: false }).health, 'healthy')
})

test('degraded: there, but silent, slow, not signing or late with its duty', () => {
  assert.deepEqual(judged({ silentMs: 15_000 }), { health: 'degraded', issues: ['silent'] })
  assert.deepEqual(judged({ silentMs: 20_000, isConnected: false }).issues, ['silent', 'disconnected'])
  assert.deepEqual(judged({ responseMs: 2001 }), { health: 'degraded', issues: ['slow'] })
  assert.deepEqual(judged({ isSigning: false }), { health: 'degraded', issues: ['not-signing'] })
  assert.deepEqual(judged({ isDutyLate: true }), { health: 'degraded', issues: ['duty-late'] })
})

test('failed: no sign of life for long', () => {
  assert.deepEqual(judged({ silentMs: 30_000 }), { health: 'failed', issues: ['silent'] })
  assert.deepEqual(judged({ silentMs: 30_000, isConnected: false }), {
    health: 'failed',
    issues: ['silent', 'disconnected']
  })
  assert.deepEqual(judged({ silentMs: null }), { health: 'failed', issues: ['never-met'] })
})

test('unknown: who has only just begun to look says nothing, so nobody fails at the start of a network', () => {
  for (const watchedMs of [0, 14_999, 29_999]) assert.equal(judged({ watchedMs, silentMs: null }).health, 'unknown')
  assert.equal(judged({ watchedMs: 14_999 }).health, 'unknown')
  assert.equal(judged({ watchedMs: 15_000 }).health, 'healthy')
  assert.equal(judged({ watchedMs: 29_999, silentMs: 30_000 }).health, 'unknown')
})
