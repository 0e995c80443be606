import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { parameterOf, parameterTable } from '../../src/ledger/parameters.ts'
import { originOf, parameterInvariants } from '../../src/ledger/votes/index.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import { bly, operatorKey, poor, rich } from './ledger-world.ts'
import { hourMs, units, VotesWorld } from './votes-world.ts'

const { escrow, treasury, validationPool } = systemAccounts
const fee = parameterTable.feeUnits.usual
const deposit = parameterTable.proposalDepositUnits.usual
const changeFee = (value = '2000000') => ({ kind: 'parameters', changes: [{ name: 'feeUnits', value }] })
const payRich = (amount = units(500n), coin = 'BLY') => ({ kind: 'payment', to: accountOf(rich), coin, amount })

test('a parameter that was voted for is changed at the end of voting, and the deposit comes back', () => {
  const world = new VotesWorld()
  const before = world.balance(rich)
  const id = world.propose(rich, changeFee())
  assert.equal(world.balance(rich), before - fee - deposit)
  assert.equal(world.balance(escrow), deposit)
  world.votes(id, 'yes', 0, 1)
  world.votes(id, 'no', 2)
  world.commit(hourMs - 1)
  assert.equal(parameterOf(world.state, world.genesis, 'feeUnits'), fee)
  const { status, tally, failure } = world.close(id)
  assert.deepEqual([status, failure], ['executed', null])
  assert.deepEqual(tally, { yes: units(200_000n), no: units(100_000n), abstain: '0', all: units(400_000n) })
  assert.equal(parameterOf(world.state, world.genesis, 'feeUnits'), 2_000_000n)
  assert.deepEqual(originOf(world.state, 'feeUnits'), { proposal: id, timeMs: world.nowMs })
  assert.equal(world.balance(rich), before - fee)
  assert.equal(world.openCount, 0)
  world.requireConserved()
})

test('too few votes: nothing is done and the treasury keeps the deposit', () => {
  const world = new VotesWorld()
  const before = world.balance(treasury)
  const id = world.propose(rich, payRich())
  world.votes(id, 'yes', 0)
  assert.equal(world.close(id).status, 'no-quorum')
  assert.equal(world.balance(treasury), before + deposit)
  assert.equal(world.balance(escrow), 0n)
  world.requireConserved()
})

test('abstaining makes a quorum and decides nothing; a tie is no majority', () => {
  const world = new VotesWorld()
  const passes = world.propose(rich, changeFee())
  const ties = world.propose(rich, changeFee('3000000'))
  world.votes(passes, 'abstain', 0, 1, 2)
  world.votes(passes, 'yes', 3)
  world.votes(ties, 'yes', 0, 1)
  world.votes(ties, 'no', 2, 3)
  assert.equal(world.close(passes).status, 'executed')
  world.commit(1)
  assert.equal(world.proposal(ties).status, 'rejected')
  assert.equal(parameterOf(world.state, world.genesis, 'feeUnits'), 2_000_000n)
  assert.equal(world.balance(escrow), 0n)
})

test('proposals that end together are counted one a commit, in the order in which they were opened', () => {
  const world = new VotesWorld()
  const ids = [0, 1, 2].map(() => world.propose(rich, { kind: 'text' }))
  for (const id of ids) world.votes(id, 'yes', 0, 1)
  world.commit(hourMs)
  assert.deepEqual(
    ids.map(id => world.proposal(id).status),
    ['executed', 'open', 'open']
  )
  assert.equal(world.vote(operatorKey(2), ids[2]!), 'PROPOSAL_CLOSED')
  world.commit(1)
  world.commit(1)
  assert.deepEqual(world.closed, ids)
})

test('the treasury pays in any coin when it can, and a payment that it cannot make moves nothing', () => {
  const world = new VotesWorld()
  const coins = world.propose(rich, payRich(units(50n), 'GEN'))
  const tooMuch = world.propose(rich, payRich(units(51n), 'GEN'))
  for (const id of [coins, tooMuch]) world.votes(id, 'yes', 0, 1, 2)
  const before = world.balance(rich, 'GEN')
  assert.equal(world.close(coins).status, 'executed')
  assert.equal(world.balance(rich, 'GEN'), before + 50n * bly)
  world.commit(1)
  const { status, failure } = world.proposal(tooMuch)
  assert.deepEqual([status, failure], ['failed', 'TREASURY_TOO_SHORT'])
  assert.equal(world.balance(treasury, 'GEN'), 50n * bly)
  world.requireConserved()
})

test('a staker who votes speaks for its own stake, its operator for those who do not', () => {
  const world = new VotesWorld()
  world.send(rich, poor, 2000n)
  world.stake(rich, 0, 50_000n)
  world.stake(poor, 0, 1000n)
  const id = world.propose(rich, { kind: 'text' })
  world.votes(id, 'yes', 0)
  assert.equal(world.vote(rich, id, 'no'), '')
  const { tally } = world.close(id)
  assert.deepEqual(tally, { yes: units(101_000n), no: units(50_000n), abstain: '0', all: units(451_000n) })
})

test('stake counts as it is at the end: what is unstaked meanwhile has no vote', () => {
  const world = new VotesWorld()
  world.stake(rich, 0, 50_000n)
  const id = world.propose(rich, { kind: 'text' })
  assert.equal(world.vote(rich, id), '')
  const unstake = { operator: accountOf(operatorKey(0)), amount: units(50_000n) }
  assert.equal(world.apply(rich, 'unstake', unstake), '')
  const { status, tally } = world.close(id)
  assert.deepEqual([status, tally!.yes, tally!.all], ['no-quorum', '0', units(400_000n)])
})

test('every vote that may not be is refused with its own code, and changes nothing', () => {
  const world = new VotesWorld()
  const id = world.propose(rich, { kind: 'text' })
  world.votes(id, 'yes', 0)
  const root = world.state.root()
  assert.equal(world.vote(operatorKey(0), id), 'VOTE_TWICE')
  assert.equal(world.vote(operatorKey(0), id, 'no'), 'VOTE_TWICE')
  assert.equal(world.vote(rich, id), 'VOTE_NOT_STAKED')
  assert.equal(world.vote(poor, id), 'VOTE_NOT_STAKED')
  assert.equal(world.vote(operatorKey(0), 99), 'PROPOSAL_UNKNOWN')
  assert.equal(world.apply(operatorKey(1), 'proposal-vote', { proposal: id, vote: 'maybe' }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.apply(operatorKey(1), 'proposal-vote', { proposal: 1.5, vote: 'yes' }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.state.root(), root)
  world.close(id)
  assert.equal(world.vote(operatorKey(1), id), 'PROPOSAL_CLOSED')
})

test('every proposal that may not be is refused with its own code, and changes nothing', () => {
  const world = new VotesWorld()
  const root = world.state.root()
  const parameters = (...changes: [string, string][]) => ({
    kind: 'parameters',
    changes: changes.map(([name, value]) => ({ name, value }))
  })
  assert.equal(world.refusalOf(rich, parameters(['nonsense', '1'])), 'PARAMETER_UNKNOWN')
  assert.equal(world.refusalOf(rich, parameters(['voteQuorumPpm', '1000001'])), 'PARAMETER_OUT_OF_RANGE')
  assert.equal(world.refusalOf(rich, parameters(['quoteMs', '7200000'])), 'PROPOSAL_BREAKS_INVARIANT')
  assert.equal(world.refusalOf(rich, parameters(['feeUnits', '1'], ['feeUnits', '2'])), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.refusalOf(rich, parameters(['feeUnits', '-1'])), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.refusalOf(rich, parameters(['feeUnits', '1.5'])), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.refusalOf(rich, parameters()), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.refusalOf(rich, { ...payRich(), to: 'nobody' }), 'ACCOUNT_INVALID')
  assert.equal(world.refusalOf(rich, payRich('-1')), 'AMOUNT_NEGATIVE')
  assert.equal(world.refusalOf(rich, payRich('1', 'EUR')), 'COIN_UNKNOWN')
  assert.equal(world.refusalOf(rich, { kind: 'text', title: '' }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.refusalOf(rich, { kind: 'text', text: 'x'.repeat(4001) }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.refusalOf(rich, { kind: 'appeal', punishment: '1' }), 'APPEAL_UNKNOWN_PUNISHMENT')
  assert.equal(world.refusalOf(poor, { kind: 'text' }), 'BALANCE_TOO_LOW')
  assert.equal(world.state.root(), root)
})

test('two changes that were sound alone: the second is looked at again when it is carried out', () => {
  const world = new VotesWorld()
  const change = (name: string, value: number) => ({ kind: 'parameters', changes: [{ name, value: String(value) }] })
  const longer = world.propose(rich, change('quoteMs', hourMs))
  const shorter = world.propose(rich, change('holdMs', hourMs / 2))
  for (const id of [longer, shorter]) world.votes(id, 'yes', 0, 1)
  assert.equal(world.close(longer).status, 'executed')
  world.commit(1)
  const { status, failure } = world.proposal(shorter)
  assert.deepEqual([status, failure], ['failed', 'PROPOSAL_BREAKS_INVARIANT'])
  assert.equal(parameterOf(world.state, world.genesis, 'holdMs'), BigInt(hourMs))
})

test('what must hold between parameters holds for the usual values, and can be broken by a vote', () => {
  const { state, genesis } = new VotesWorld({ parameters: { votingMs: '1000', emergencyVotingMs: '1000' } })
  for (const { text, holds, names } of parameterInvariants) {
    assert.ok(
      holds(name => parameterTable[name].usual),
      text
    )
    assert.ok(!holds(name => (name === names[0] ? 10n ** 20n : parameterOf(state, genesis, name))), text)
  }
})

test('a rule is that of the day on which the proposal was opened', () => {
  const world = new VotesWorld()
  const quorum = { kind: 'parameters', changes: [{ name: 'voteQuorumPpm', value: '0' }] }
  const lowered = world.propose(rich, quorum)
  world.votes(lowered, 'yes', 0, 1, 2)
  world.commit(1)
  const before = world.propose(rich, { kind: 'text' })
  world.votes(before, 'yes', 0)
  assert.equal(world.close(lowered).status, 'executed')
  const after = world.propose(rich, { kind: 'text' })
  world.votes(after, 'yes', 0)
  assert.equal(world.close(before).status, 'no-quorum')
  assert.equal(world.close(after).status, 'executed')
})

test('a proposer has four proposals, a kind sixteen, and there is room again when one is over', () => {
  const world = new VotesWorld()
  const proposers = [rich, ...[0, 1, 2, 3].map(operatorKey)]
  const ids: number[] = []
  for (const key of proposers.slice(0, 4)) {
    for (let count = 0; count < 4; count++) ids.push(world.propose(key, { kind: 'text' }))
    assert.equal(world.refusalOf(key, payRich()), 'PROPOSALS_TOO_MANY')
  }
  assert.equal(world.refusalOf(proposers[4]!, { kind: 'text' }), 'PROPOSALS_TOO_MANY')
  assert.equal(world.refusalOf(proposers[4]!, changeFee()), '')
  assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: ids[0] }), '')
  assert.equal(world.refusalOf(rich, payRich()), '')
  world.requireConserved()
})

test('of those that are over the newest 64 are kept', () => {
  const world = new VotesWorld()
  const first = world.propose(rich, { kind: 'text' })
  assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: first }), '')
  const entries = () => [...world.state.entries()].filter(([key]) => /^(proposal|ballot|voted|agenda)/.test(key)).length
  const size = entries()
  for (let count = 0; count < 70; count++) {
    const id = world.propose(rich, { kind: 'text' })
    assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: id }), '')
  }
  assert.deepEqual([world.closed.length, world.closed[0]], [64, 8])
  assert.equal(world.vote(operatorKey(0), first), 'PROPOSAL_UNKNOWN')
  for (let count = 0; count < 70; count++) {
    const id = world.propose(rich, { kind: 'text' })
    assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: id }), '')
  }
  // Two entries for each that is kept, and one line each in the agenda until its time.
  assert.ok(entries() - size <= 2 * 64 + 140)
  world.commit(hourMs)
  assert.ok(entries() - size <= 2 * 64)
})

test('who takes a proposal back before anybody voted has its deposit back, later not', () => {
  const world = new VotesWorld()
  const unseen = world.propose(rich, { kind: 'text' })
  const seen = world.propose(rich, { kind: 'text' })
  world.votes(seen, 'no', 0)
  assert.equal(world.apply(operatorKey(0), 'proposal-withdraw', { proposal: unseen }), 'PROPOSAL_NOT_YOURS')
  const before = world.balance(treasury)
  assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: unseen }), '')
  assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: unseen }), 'PROPOSAL_CLOSED')
  assert.equal(world.balance(treasury), before)
  assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: seen }), '')
  assert.equal(world.balance(treasury), before + deposit)
  assert.equal(world.apply(rich, 'proposal-withdraw', { proposal: 77 }), 'PROPOSAL_UNKNOWN')
  world.commit(2 * hourMs)
  assert.deepEqual(
    world.closed.map(id => world.proposal(id).status),
    ['withdrawn', 'withdrawn']
  )
  world.requireConserved()
})

test('voters of a proposal that reached its quorum are paid at the settlement: 0.2 BLY, those with stake enough', () => {
  const world = new VotesWorld({ parameters: { periodMs: String(2 * hourMs) } })
  const small = keyOf('small')
  world.send(rich, small, 100n)
  world.stake(small, 0, 50n)
  const id = world.propose(rich, { kind: 'text' })
  const missed = world.propose(rich, { kind: 'text' })
  world.votes(id, 'yes', 0, 1)
  world.votes(id, 'no', 2)
  assert.equal(world.vote(small, id), '')
  world.votes(missed, 'yes', 3)
  world.close(id)
  world.commit(1)
  assert.equal(world.proposal(missed).status, 'no-quorum')
  const before = [0, 3].map(operator => world.balance(operatorKey(operator)))
  const [pool, smallBefore] = [world.balance(validationPool), world.balance(small)]
  world.commit(hourMs)
  assert.equal(world.balance(validationPool), pool - 3n * parameterTable.voteRewardUnits.usual)
  assert.equal(world.balance(operatorKey(3)) - before[1]!, world.balance(operatorKey(0)) - before[0]! - bly / 5n)
  assert.equal(world.balance(small), smallBefore)
  world.requireConserved()
})

test('votes never cost more than their share of the validation pool: all get an equal part of it', () => {
  const world = new VotesWorld({ parameters: { periodMs: String(2 * hourMs), voteBudgetPpm: '0' } })
  const id = world.propose(rich, { kind: 'parameters', changes: [{ name: 'voteRewardUnits', value: units(90n) }] })
  world.votes(id, 'yes', 0, 1, 2)
  const pool = world.balance(validationPool)
  assert.equal(world.close(id).status, 'executed')
  world.commit(hourMs)
  assert.equal(world.balance(validationPool), pool)
  const next = new VotesWorld({ parameters: { voteRewardUnits: units(100n), voteBudgetPpm: '7' } })
  const paid = next.propose(rich, { kind: 'text' })
  next.votes(paid, 'yes', 0, 1, 2)
  next.close(paid)
  // 7 millionths of 10 000 000 BLY are 70 BLY: for three voters 23.333333333 each.
  assert.equal(next.balance(validationPool), 10_000_000n * bly - 3n * 23_333_333_333n)
  next.requireConserved()
})
