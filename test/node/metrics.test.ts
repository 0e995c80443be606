import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeStatus } from '../../src/node/index.ts'
import { learningOff } from '../../src/node/learning/learning-off.ts'
import { createMetrics } from '../../src/node/metrics.ts'
import { sampleStatus } from '../api/node-double.ts'

const memory = { vertices: 1, suspended: 0, wanted: 0 }
const withQuorum = (changes: Partial<NodeStatus['quorum']>): NodeStatus => ({
  ...sampleStatus,
  quorum: { ...sampleStatus.quorum, ...changes }
})
/** Value of one sample, undefined when there is none. */
const sample = (text: string, name: string): number | undefined => {
  const line = text.split('\n').find(one => one.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

test('what the quorum can do is in two gauges: order, and make final', async () => {
  const metrics = createMetrics()
  const modes: [NodeStatus['quorum']['mode'], number, number][] = [
    ['final', 1, 1],
    ['degraded', 1, 0],
    ['stopped', 0, 0]
  ]
  for (const [mode, orders, finalises] of modes) {
    const text = await metrics.text(withQuorum({ mode }), memory)
    assert.deepEqual([sample(text, 'blyan_quorum_orders'), sample(text, 'blyan_quorum_finalises')], [orders, finalises])
  }
})

test('every kind of transition is there from the start, and counts', async () => {
  const metrics = createMetrics()
  const before = await metrics.text(sampleStatus, memory)
  assert.equal(sample(before, 'blyan_transitions_total{kind="member-lost"}'), 0)
  assert.equal(sample(before, 'blyan_transitions_total{kind="diverged"}'), 0)
  metrics.countTransition('member-lost')
  metrics.countTransition('member-lost')
  const after = await metrics.text(sampleStatus, memory)
  assert.equal(sample(after, 'blyan_transitions_total{kind="member-lost"}'), 2)
})

test('a validator that has left the set leaves the metrics', async () => {
  const metrics = createMetrics()
  const member = sampleStatus.quorum.members[0]!
  const both = [
    { ...member, name: 'a', hasSlot: false, presence: 0.25, lateMs: 300, offences: 2 },
    { ...member, name: 'b' }
  ]
  const text = await metrics.text(withQuorum({ members: both }), memory)
  assert.equal(sample(text, 'blyan_validator_has_slot{validator="a"}'), 0)
  assert.equal(sample(text, 'blyan_validator_presence{validator="a"}'), 0.25)
  assert.equal(sample(text, 'blyan_validator_late_seconds{validator="a"}'), 0.3)
  assert.equal(sample(text, 'blyan_validator_offences{validator="a"}'), 2)
  assert.equal(sample(text, 'blyan_validator_has_slot{validator="b"}'), 1)
  const later = await metrics.text(withQuorum({ members: both.slice(0, 1), origins: [] }), memory)
  assert.equal(sample(later, 'blyan_validator_has_slot{validator="b"}'), undefined)
  assert.doesNotMatch(later, /^blyan_origin_weight\{/m)
})

test('catching up, divergence, recovery and origins have gauges to alert on', async () => {
  const text = await createMetrics().text(
    {
      ...sampleStatus,
      ready: false,
      sync: {
        phase: 'snapshot',
        commit: 5,
        targetCommit: 105,
        commitsPerSecond: 0,
        bytesDone: 10,
        bytesTotal: 50,
        bytesPerSecond: 1,
        etaMs: 1
      },
      divergence: { sequence: 3, ours: 'a', theirs: 'b', bundle: null },
      recovery: { waitsFor: ['b'] },
      events: { pending: 1, final: 2, degraded: 7 },
      alarms: ['one', 'two']
    },
    memory
  )
  const expected: Record<string, number> = {
    blyan_ready: 0,
    blyan_syncing: 1,
    blyan_sync_commits_behind: 100,
    blyan_sync_bytes_behind: 40,
    blyan_diverged: 1,
    blyan_signer_recovering: 1,
    blyan_events_degraded: 7,
    blyan_alarms: 2,
    'blyan_origin_weight{kind="origin",name="cloud-1"}': 2,
    'blyan_origin_stops_finality{kind="origin",name="cloud-1"}': 1,
    'blyan_origin_stops_ordering{kind="origin",name="cloud-1"}': 1
  }
  for (const [name, value] of Object.entries(expected)) assert.equal(sample(text, name), value, name)
})

test('what a node learns and does for rounds is there, zero from the start', async () => {
  const idle = learningOff('not here').status()
  const text = await createMetrics().text(sampleStatus, memory, idle)
  assert.equal(sample(text, 'blyan_learning_round'), 0)
  assert.equal(sample(text, 'blyan_learning_deltas_accepted_total'), 0)
  const round = { number: 7, phase: 'measuring' as const, endsInMs: 10, learners: 3, commits: 2, reveals: 2 }
  const busy = await createMetrics().text(sampleStatus, memory, {
    ...idle,
    round,
    duties: { ...idle.duties, replayed: 5 }
  })
  assert.deepEqual(
    ['round', 'phase', 'learners', 'parts_replayed_total'].map(name => sample(busy, `blyan_learning_${name}`)),
    [7, 4, 3, 5]
  )
})
