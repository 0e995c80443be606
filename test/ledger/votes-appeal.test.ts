import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { parameterTable } from '../../src/ledger/parameters.ts'
import { readPunishment } from '../../src/ledger/slashing/index.ts'
import { punish } from '../../src/ledger/slashing/punish.ts'
import { readPool } from '../../src/ledger/staking/index.ts'
import { activeNodes } from '../../src/ledger/votes/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, operatorKey, rich } from './ledger-world.ts'
import { hourMs, VotesWorld } from './votes-world.ts'

const parameters = { appealVotingMs: String(hourMs) }

/** A world whose last operator was punished; the id of that. */
function punished(operators = 7): { world: VotesWorld; operator: string; id: string } {
  const world = new VotesWorld({ operators, parameters })
  const operator = accountOf(operatorKey(operators - 1))
  const pool = readPool(world.state, operator)!
  const punishment = punish(
    { state: world.state, genesis: world.genesis, nowMs: world.nowMs },
    {
      operator,
      key: pool.key,
      offence: 'double-signing',
      epoch: 0,
      offenceMs: world.nowMs,
      evidence: { kind: 'event', event: 'e', digest: '00', reporter: 'r', round: 1, fault: 'signed twice' }
    }
  )!
  return { world, operator, id: punishment.id }
}

test('an appeal that passes lifts the ban and the treasury repays what was burnt: one validator, one vote', () => {
  const { world, operator, id } = punished()
  const treasury = world.balance(systemAccounts.treasury)
  const burnt = 10_000n * bly
  assert.equal(readPool(world.state, operator)!.stakeUnits, 90_000n * bly)
  const key = operatorKey(6)
  const proposal = world.propose(key, { kind: 'appeal', punishment: id })
  assert.equal(world.proposal(proposal).voteClass, 'appeal')
  // Not the punished, and nobody for stake alone.
  assert.equal(world.vote(key, proposal), 'VOTE_NOT_VALIDATOR')
  world.stake(rich, 0, 500_000n)
  assert.equal(world.vote(rich, proposal), 'VOTE_NOT_VALIDATOR')
  world.votes(proposal, 'yes', 0, 1, 2, 3)
  world.votes(proposal, 'no', 4)
  const before = world.close(proposal)
  assert.deepEqual([before.status, before.tally], ['rejected', { yes: '4', no: '1', abstain: '0', all: '7' }])
  assert.ok(!readPunishment(world.state, id)!.isUndone)
  const again = world.propose(key, { kind: 'appeal', punishment: id })
  world.votes(again, 'yes', 0, 1, 2, 3, 4)
  const { status, failure } = world.close(again)
  assert.deepEqual([status, failure], ['executed', null])
  assert.ok(readPunishment(world.state, id)!.isUndone)
  const pool = readPool(world.state, operator)!
  assert.deepEqual([pool.jailedUntilMs, pool.stakeUnits], [null, 100_000n * bly])
  assert.equal(world.balance(systemAccounts.treasury), treasury - burnt)
  assert.equal(world.refusalOf(key, { kind: 'appeal', punishment: id }), 'APPEAL_UNKNOWN_PUNISHMENT')
  world.requireConserved()
})

test('only the punished appeals, in time, one appeal at a time', () => {
  const { world, id } = punished()
  const appeal = { kind: 'appeal', punishment: id }
  assert.equal(world.refusalOf(operatorKey(0), appeal), 'APPEAL_NOT_YOURS')
  assert.equal(world.refusalOf(operatorKey(6), { ...appeal, punishment: '77' }), 'APPEAL_UNKNOWN_PUNISHMENT')
  const first = world.propose(operatorKey(6), appeal)
  assert.equal(world.refusalOf(operatorKey(6), appeal), 'APPEAL_TWICE')
  world.close(first)
  world.commit(Number(parameterTable.appealMs.usual))
  assert.equal(world.refusalOf(operatorKey(6), appeal), 'APPEAL_TOO_LATE')
})

test('who is jailed is no active node', () => {
  const { world, operator } = punished(4)
  const nodes = activeNodes(world.state, world.nowMs)
  assert.deepEqual([nodes.size, nodes.has(operator)], [3, false])
})
