import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parameterTable } from '../../src/ledger/parameters.ts'
import { parametersView, proposalsView, proposalView } from '../../src/node/views/votes-view.ts'
import { accountOf } from '../dag/small-network.ts'
import { operatorKey, rich } from '../ledger/ledger-world.ts'
import { hourMs, units, VotesWorld } from '../ledger/votes-world.ts'

test('a parameter is shown with who set it: nobody, genesis, or a proposal', () => {
  const world = new VotesWorld()
  const id = world.propose(rich, { kind: 'parameters', changes: [{ name: 'feeUnits', value: '5' }] })
  world.votes(id, 'yes', 0, 1)
  world.close(id)
  const all = parametersView(world.access)
  assert.deepEqual(
    all.map(({ name }) => name),
    Object.keys(parameterTable)
  )
  const setter = (name: string) => {
    const { setBy, proposal, value, usual } = all.find(one => one.name === name)!
    return [setBy, proposal, value, usual]
  }
  assert.deepEqual(setter('feeUnits'), ['proposal', id, '5', '1000000'])
  assert.deepEqual(setter('votingMs'), ['genesis', null, String(hourMs), '259200000'])
  assert.deepEqual(setter('holdMs'), ['usual', null, '3600000', '3600000'])
  assert.ok(all.find(({ name }) => name === 'feeUnits')!.invariants.length > 0)
})

test('proposals are shown the open ones first, each with its rule, its votes and how they stand', () => {
  const world = new VotesWorld()
  const over = world.propose(rich, { kind: 'text' })
  const open = world.propose(rich, { kind: 'payment', to: accountOf(rich), coin: 'GEN', amount: units(1n) })
  world.apply(rich, 'proposal-withdraw', { proposal: over })
  world.votes(open, 'yes', 0, 1)
  world.votes(open, 'no', 2)
  assert.deepEqual(
    proposalsView(world.access).map(({ id, status }) => [id, status]),
    [
      [open, 'open'],
      [over, 'withdrawn']
    ]
  )
  const shown = proposalView(world.access, open)
  assert.deepEqual(shown.tally, { yes: units(200_000n), no: units(100_000n), abstain: '0', all: units(400_000n) })
  assert.equal(shown.outcomeNow, 'passed')
  assert.equal(shown.rule.threshold, '500000/1000000')
  assert.equal(shown.votes.length, 3)
  assert.equal(shown.content.kind, 'payment')
  world.close(open)
  const done = proposalView(world.access, open)
  assert.deepEqual([done.status, done.outcomeNow, done.votes.length], ['executed', null, 0])
  assert.deepEqual(done.tally, shown.tally)
  assert.throws(() => proposalView(world.access, 99), { code: 'PROPOSAL_UNKNOWN' })
})

test('an emergency is shown with how many validators it needs, and until when it is in force', () => {
  const world = new VotesWorld()
  const action = { name: 'pause_network' }
  const pause = { kind: 'emergency', emergency: 'security_breach', action, durationMs: hourMs }
  const id = world.propose(operatorKey(0), pause)
  assert.equal(proposalView(world.access, id).rule.validatorsNeeded, 3)
  world.votes(id, 'yes', 0, 1, 2)
  world.commit()
  const { status, endsAt, tally } = proposalView(world.access, id)
  assert.deepEqual([status, endsAt], ['in-force', new Date(world.nowMs + hourMs).toISOString()])
  assert.deepEqual(tally, { yes: '3', no: '0', abstain: '0', all: '4' })
})
