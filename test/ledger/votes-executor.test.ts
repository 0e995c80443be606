import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SigningKey } from '../../src/codec/index.ts'
import { type Commit, commitDigest, encodeCommit } from '../../src/consensus/index.ts'
import { signEvent } from '../../src/dag/core/event.ts'
import { type Execution, Executor } from '../../src/dag/core/executor.ts'
import { genesisOf } from '../../src/dag/index.ts'
import { readProposal } from '../../src/ledger/votes/index.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import { vertexOf } from '../consensus/dag-builder.ts'
import { accountOf } from '../dag/small-network.ts'
import { economyGenesisFile, operatorKey, poor, rich } from './ledger-world.ts'
import { units } from './votes-world.ts'

const votingMs = 60_000
const genesis = genesisOf(
  economyGenesisFile({
    parameters: { votingMs: String(votingMs), emergencyVotingMs: String(votingMs), periodMs: String(votingMs) }
  })
)
const newExecutor = () => new Executor({ genesis, handlers: createHandlers(genesis) })

type Submitted = readonly [key: SigningKey, type: string, json: unknown]

/** The same commits for every executor that is given them. */
function commitsOf(steps: readonly { readonly afterMs: number; readonly events: readonly Submitted[] }[]) {
  const handlers = createHandlers(genesis)
  const clocks = new Map<string, number>()
  let previous = genesis.digestHex
  let timestampMs = genesis.timeMs
  return steps.map(({ afterMs, events }, place) => {
    const round = place + 1
    timestampMs += afterMs
    const signed = events.map(([key, type, json]) => {
      const logicalClock = (clocks.get(accountOf(key)) ?? 0) + 1
      clocks.set(accountOf(key), logicalClock)
      const envelope = { tenantId: '', logicalClock, region: '', origin: '', createdAtMs: timestampMs, type }
      const payload = handlers.get(type).encodePayload(json)
      return signEvent({ ...envelope, payload, author: key.publicKey }, key, genesis.digest).bytes
    })
    const vertex = vertexOf({ author: 0, round, parents: [], events: signed, header: { epoch: 0 } })
    const vertices = [{ round, author: 0, digest: vertex.digest }]
    const commit: Commit = { index: round, round, previous, timestampMs, vertices }
    previous = commitDigest(encodeCommit(commit))
    return { commit, commitDigest: previous, vertices: [vertex] }
  })
}

const said = (id: number, vote: string, ...operators: number[]): Submitted[] =>
  operators.map(operator => [operatorKey(operator), 'proposal-vote', { proposal: id, vote }])
const propose = (key: SigningKey, payload: object): Submitted => [
  key,
  'proposal-new',
  { title: 'a title', text: 'and why', ...payload }
]

const steps = [
  {
    afterMs: 10,
    events: [
      propose(rich, { kind: 'parameters', changes: [{ name: 'feeUnits', value: '5000000' }] }),
      propose(rich, { kind: 'payment', to: accountOf(poor), coin: 'GEN', amount: units(3n) }),
      propose(operatorKey(0), {
        kind: 'emergency',
        emergency: 'security_breach',
        action: { name: 'pause_network' },
        durationMs: 1000
      })
    ]
  },
  { afterMs: 10, events: [...said(1, 'yes', 0, 1, 2), ...said(2, 'yes', 0, 1), ...said(3, 'yes', 0, 1)] },
  { afterMs: 10, events: [...said(3, 'yes', 2), [rich, 'note', 'still open'] as const] },
  { afterMs: 10, events: [[rich, 'note', 'paused'] as const, ...said(2, 'no', 3), ...said(2, 'no', 3)] },
  { afterMs: 1000, events: [] },
  { afterMs: 10, events: [[rich, 'note', 'open again'] as const] },
  { afterMs: votingMs, events: [] },
  { afterMs: 10, events: [] },
  { afterMs: 10, events: [[rich, 'transfer', { to: accountOf(poor), amount: units(1n) }] as const] },
  { afterMs: votingMs, events: [] }
]

const resultOf = (execution: Execution) => ({
  refusals: execution.events.map(({ refusal }) => refusal),
  blocks: execution.blocks.map(({ cid }) => cid.toString()),
  checkpoint: execution.checkpoint?.digest
})

test('what was voted is done by all nodes alike, also by one that was started again in between', () => {
  const commits = commitsOf(steps)
  const [one, other] = [newExecutor(), newExecutor()]
  const results = commits.map(commit => {
    const result = resultOf(one.execute(commit))
    assert.deepEqual(resultOf(other.execute(commit)), result)
    assert.equal(other.state.root(), one.state.root())
    return result
  })
  const stopped = newExecutor()
  for (const commit of commits.slice(0, 4)) stopped.execute(commit)
  const stored = { entries: [...stopped.state.entries()], parts: [], leaves: [] }
  const again = new Executor({ genesis, handlers: createHandlers(genesis), stored })
  for (const commit of commits.slice(4)) again.execute(commit)
  assert.equal(again.state.get('balance/@treasury/GEN'), one.state.get('balance/@treasury/GEN'))
  const status = (executor: Executor, id: number) => readProposal(executor.state, id)!.status
  for (const executor of [one, other, again])
    assert.deepEqual(
      [1, 2, 3].map(id => status(executor, id)),
      ['executed', 'executed', 'ended']
    )
  assert.deepEqual(results[2]!.refusals, ['', ''])
  assert.notEqual(results[2]!.checkpoint, undefined)
  assert.deepEqual(results[3]!.refusals, ['NETWORK_PAUSED', '', 'VOTE_TWICE'])
  assert.deepEqual(results[5]!.refusals, [''])
  assert.equal(one.state.get(`balance/${accountOf(poor)}/GEN`), units(3n))
  assert.equal(one.state.get('parameter/feeUnits'), '5000000')
})

test('an emergency reset ends the epoch, with the same validators', () => {
  const executor = newExecutor()
  const act = { kind: 'emergency', emergency: 'consensus_failure', action: { name: 'reset_consensus' }, durationMs: 0 }
  const events = [propose(operatorKey(0), act), ...said(1, 'yes', 0, 1, 2, 3)]
  const quiet = Array.from({ length: 200 }, () => ({ afterMs: votingMs, events: [] }))
  const names = () => genesis.committee.validators.map(({ name }) => name)
  for (const commit of commitsOf([{ afterMs: 10, events }, ...quiet])) {
    executor.execute(commit)
    if (executor.epochState.epoch > 0) break
  }
  assert.equal(executor.epochState.epoch, 1)
  const members = names().map((_, place) => executor.state.get(`validators/set/1/${place}`) as { name: string })
  assert.deepEqual(
    members.map(({ name }) => name),
    names()
  )
})
