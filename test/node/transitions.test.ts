import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transitionsBetween, type WatchedView } from '../../src/node/transitions.ts'

const member = (name: string, changes: Partial<WatchedView['members'][number]> = {}) => ({
  name,
  connected: true,
  hasSlot: true,
  offences: 0,
  ...changes
})
const healthy: WatchedView = {
  state: 'ready',
  reasons: [],
  mode: 'final',
  missing: [],
  epoch: 0,
  syncPhase: null,
  commits: 10,
  recoveryWaitsFor: null,
  divergence: null,
  members: [member('a'), member('b'), member('c')]
}
const kinds = (before: WatchedView, after: WatchedView) => transitionsBetween(before, after).map(({ kind }) => kind)

test('nothing is told while nothing changes, however the rounds move', () => {
  assert.deepEqual(transitionsBetween(healthy, { ...healthy, commits: 4000 }), [])
})

test('a network of three: one lost, two lost, and all back, each told once', () => {
  const reasons = ['events are degraded until confirmed by c']
  const one: WatchedView = {
    ...healthy,
    state: 'degraded',
    reasons,
    mode: 'degraded',
    missing: ['c'],
    members: [member('a'), member('b'), member('c', { connected: false })]
  }
  const two: WatchedView = {
    ...one,
    mode: 'stopped',
    missing: ['b', 'c'],
    members: [member('a'), member('b', { connected: false }), member('c', { connected: false })]
  }
  assert.deepEqual(kinds(healthy, one), ['member-lost', 'quorum-degraded', 'state'])
  assert.deepEqual(kinds(one, two), ['member-lost', 'quorum-stopped'])
  assert.deepEqual(kinds(two, healthy), ['member-connected', 'member-connected', 'quorum-final', 'state'])
  assert.match(
    transitionsBetween(healthy, one).at(-1)!.text,
    /^ready -> degraded: events are degraded until confirmed by c$/
  )
  assert.match(transitionsBetween(one, two)[1]!.text, /ordering has stopped: b and c missing/)
  assert.deepEqual(
    transitionsBetween(healthy, two).map(({ level }) => level),
    ['warn', 'warn', 'error', 'warn']
  )
})

test('slots, offences and members are told by name; a member of a new set is no change of an old one', () => {
  const slow = { ...healthy, members: [member('a'), member('b', { hasSlot: false }), member('c', { offences: 1 })] }
  assert.deepEqual(
    transitionsBetween(healthy, slow).map(({ kind, validator }) => [kind, validator]),
    [
      ['slots-lost', 'b'],
      ['offence', 'c']
    ]
  )
  assert.deepEqual(kinds(slow, healthy), ['slots-regained'])
  const next = { ...healthy, epoch: 1, members: [member('a'), member('d', { connected: false })] }
  assert.deepEqual(kinds(healthy, next), ['epoch-begun'])
})

test('catching up, state sync, recovery and divergence have a beginning and an end', () => {
  const commits: WatchedView = { ...healthy, state: 'syncing', syncPhase: 'commits' }
  const snapshot: WatchedView = { ...commits, syncPhase: 'snapshot' }
  assert.deepEqual(kinds(healthy, commits), ['catch-up-begun', 'state'])
  assert.deepEqual(kinds(commits, snapshot), ['state-sync-begun'])
  assert.deepEqual(kinds(snapshot, commits), ['state-sync-ended'])
  assert.deepEqual(kinds(snapshot, healthy), ['state-sync-ended', 'catch-up-ended', 'state'])
  const recovering: WatchedView = { ...healthy, recoveryWaitsFor: ['b', 'c'] }
  assert.deepEqual(kinds(healthy, recovering), ['recovering'])
  assert.deepEqual(kinds(recovering, healthy), ['recovered'])
  const diverged: WatchedView = { ...healthy, divergence: 'checkpoint 3 is x here and y elsewhere' }
  assert.deepEqual(kinds(healthy, diverged), ['diverged'])
  assert.deepEqual(kinds(diverged, { ...diverged, commits: 11 }), [])
})
