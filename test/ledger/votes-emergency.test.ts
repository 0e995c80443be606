import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEpoch } from '../../src/dag/index.ts'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { parameterOf, parameterTable } from '../../src/ledger/parameters.ts'
import { jail, readPool } from '../../src/ledger/staking/index.ts'
import { frozenBy, originOf, pauseOf } from '../../src/ledger/votes/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, operatorKey, poor, rich } from './ledger-world.ts'
import { hourMs, units, VotesWorld } from './votes-world.ts'

const { treasury, unissued, bonded } = systemAccounts
const usualReward = parameterTable.rewardBaseUnits.usual

const emergency = (emergency: string, name: string, details: object = {}, durationMs = 0) => ({
  kind: 'emergency',
  emergency,
  action: { name, ...details },
  durationMs
})
const pause = (durationMs = hourMs) => emergency('security_breach', 'pause_network', {}, durationMs)
const rollback = (...entries: object[]) => emergency('security_breach', 'rollback', { entries })
const exclude = (operator: number, durationMs = hourMs) =>
  emergency('security_breach', 'update_validator_set', { operators: [accountOf(operatorKey(operator))] }, durationMs)
const reset = emergency('consensus_failure', 'reset_consensus')
const freeze = (durationMs: number) =>
  emergency('economic_attack', 'freeze_accounts', { accounts: [accountOf(rich)] }, durationMs)
const adjust = (rewardBaseUnits: string, durationMs = hourMs) =>
  emergency('economic_attack', 'adjust_rewards', { rewardBaseUnits }, durationMs)
const mint = (amount: string) => emergency('economic_attack', 'emergency_mint', { amount })
const entry = (from: string, to: string, coins: bigint) => ({ from, to, coin: 'BLY', amount: units(coins) })

/** Proposed by the first validator, with the votes of so many, and the commit that carries it out. */
function decide(world: VotesWorld, payload: Record<string, unknown>, voters: number): number {
  const id = world.propose(operatorKey(0), payload)
  world.votes(id, 'yes', ...Array.from({ length: voters }, (_, operator) => operator))
  world.commit()
  return id
}
const sendOne = (world: VotesWorld) => world.apply(rich, 'transfer', { to: accountOf(poor), amount: units(1n) })
const epochOf = (world: VotesWorld) => readEpoch(world.state, world.genesis)

test('a paused network refuses everything but votes and evidence, from the commit of the last vote to its end', () => {
  const world = new VotesWorld()
  const id = world.propose(operatorKey(0), pause())
  world.votes(id, 'yes', 0, 1)
  world.commit()
  assert.equal(sendOne(world), '')
  world.votes(id, 'yes', 2)
  assert.equal(world.vote(operatorKey(3), id), 'PROPOSAL_CLOSED')
  assert.ok(world.commit(), 'what was done is checkpointed with the commit')
  assert.deepEqual(pauseOf(world.state), { proposal: id, untilMs: world.nowMs + hourMs })
  const root = world.state.root()
  assert.equal(sendOne(world), 'NETWORK_PAUSED')
  assert.equal(world.apply(rich, 'note', 'anybody there?'), 'NETWORK_PAUSED')
  assert.equal(world.apply(rich, 'stake', { operator: accountOf(operatorKey(0)), amount: units(5n) }), 'NETWORK_PAUSED')
  assert.equal(world.state.root(), root)
  assert.equal(world.refusalOf(rich, { kind: 'text' }), '')
  world.commit(hourMs - 1)
  assert.equal(sendOne(world), 'NETWORK_PAUSED')
  assert.ok(world.commit(1))
  assert.equal(sendOne(world), '')
  assert.equal(world.proposal(id).status, 'ended')
  world.requireConserved()
})

test('evidence, votes and the duties of continuity are looked at while the network is paused, nothing else', () => {
  const world = new VotesWorld()
  decide(world, pause(), 3)
  const codeOf = (type: string) => world.applyPayload(rich, type, new Uint8Array([1]))
  const passing = [
    'health-observation',
    'council-vote',
    'core-record',
    'gifted-heartbeat',
    'evidence',
    'evidence-invalid'
  ]
  for (const type of [...passing, 'proposal-new', 'proposal-vote', 'proposal-withdraw'])
    assert.notEqual(codeOf(type), 'NETWORK_PAUSED', type)
  for (const type of ['transfer', 'hold-quote', 'stake', 'operator-join', 'gifted-register', 'expert-score', 'dataset'])
    assert.equal(codeOf(type), 'NETWORK_PAUSED', type)
})

test('a pause ends at once when too few are left who want it, and does not begin twice', () => {
  const world = new VotesWorld()
  const id = decide(world, pause(), 3)
  assert.equal(world.refusalOf(operatorKey(1), pause()), 'EMERGENCY_IN_FORCE')
  assert.equal(world.apply(operatorKey(3), 'proposal-withdraw', { proposal: id }), 'PROPOSAL_NOT_YOURS')
  assert.equal(world.apply(operatorKey(1), 'proposal-withdraw', { proposal: id }), '')
  assert.equal(world.apply(operatorKey(1), 'proposal-withdraw', { proposal: id }), 'PROPOSAL_NOT_YOURS')
  assert.equal(sendOne(world), 'NETWORK_PAUSED')
  world.commit()
  assert.equal(sendOne(world), '')
  assert.equal(world.proposal(id).status, 'ended')
  // The end that was planned finds nothing to do, and a second pause is a matter of its own.
  const again = decide(world, pause(2 * hourMs), 3)
  world.commit(hourMs)
  assert.equal(world.proposal(again).status, 'in-force')
})

test('thresholds are of the whole set: two thirds, four fifths, three quarters of four are three, four, three', () => {
  const world = new VotesWorld()
  const needed = (payload: Record<string, unknown>) => {
    const id = world.propose(operatorKey(0), payload)
    for (let voters = 0; voters < 4; voters++) {
      world.votes(id, 'yes', voters)
      if (world.proposal(id).status === 'passed') return voters + 1
    }
    return undefined
  }
  assert.deepEqual([needed(rollback(entry(treasury, accountOf(poor), 1n))), needed(reset)], [3, 4])
  world.commit()
  assert.equal(needed(mint('1')), 3)
})

test('an emergency without its votes is over after a day, and a vote against does not help it', () => {
  const world = new VotesWorld()
  const id = world.propose(operatorKey(0), pause())
  world.votes(id, 'yes', 0, 1)
  world.votes(id, 'no', 2)
  assert.equal(world.close(id).status, 'rejected')
  assert.deepEqual(world.proposal(id).tally, { yes: '2', no: '1', abstain: '0', all: '4' })
  assert.equal(sendOne(world), '')
})

test('an emergency that may not be is refused with its own code', () => {
  const world = new VotesWorld()
  const refusal = (payload: Record<string, unknown>, key = operatorKey(0)) => world.refusalOf(key, payload)
  assert.equal(refusal(pause(), rich), 'VOTE_NOT_VALIDATOR')
  assert.equal(refusal(emergency('consensus_failure', 'pause_network', {}, 1000)), 'EMERGENCY_ACTION_NOT_ALLOWED')
  assert.equal(refusal(emergency('security_breach', 'emergency_mint', { amount: '1' })), 'EMERGENCY_ACTION_NOT_ALLOWED')
  assert.equal(refusal(pause(72 * hourMs + 1)), 'EMERGENCY_DURATION_WRONG')
  assert.equal(refusal(pause(0)), 'EMERGENCY_DURATION_WRONG')
  assert.equal(refusal(freeze(48 * hourMs + 1)), 'EMERGENCY_DURATION_WRONG')
  assert.equal(refusal({ ...reset, durationMs: hourMs }), 'EMERGENCY_DURATION_WRONG')
  assert.equal(refusal(adjust((usualReward + 1n).toString())), 'EMERGENCY_TOO_MUCH')
  assert.equal(refusal(mint(units(10_000_001n))), 'EMERGENCY_TOO_MUCH')
  assert.equal(refusal(rollback(entry(unissued, accountOf(rich), 1n))), 'ACCOUNT_INVALID')
  assert.equal(refusal(rollback(entry(bonded, accountOf(rich), 1n))), 'ACCOUNT_INVALID')
  assert.equal(refusal(emergency('security_breach', 'world_peace')), 'EVENT_PAYLOAD_INVALID')
  const nobody = { operators: [accountOf(rich)] }
  assert.equal(
    refusal(emergency('security_breach', 'update_validator_set', nobody, hourMs)),
    'EMERGENCY_OPERATOR_UNKNOWN'
  )
  const id = world.propose(operatorKey(0), pause(72 * hourMs))
  world.propose(operatorKey(0), reset)
  assert.equal(refusal(reset), 'PROPOSALS_TOO_MANY')
  assert.equal(world.vote(rich, id), 'VOTE_NOT_VALIDATOR')
})

test('a rollback books the entries against what happened, all of them or none, and takes frozen coins back', () => {
  const world = new VotesWorld()
  const before = [world.balance(rich), world.balance(poor), world.balance(treasury)] as const
  const tooMuch = decide(
    world,
    rollback(entry(accountOf(rich), treasury, 10n), entry(accountOf(poor), accountOf(rich), 1n)),
    3
  )
  const { status, failure } = world.proposal(tooMuch)
  assert.deepEqual([status, failure], ['failed', 'BALANCE_TOO_LOW'])
  assert.deepEqual([world.balance(rich), world.balance(poor), world.balance(treasury)], before)
  decide(world, freeze(hourMs), 3)
  assert.equal(sendOne(world), 'ACCOUNT_FROZEN')
  const back = decide(
    world,
    rollback(entry(accountOf(rich), treasury, 10n), entry(accountOf(rich), accountOf(poor), 5n)),
    3
  )
  assert.equal(world.proposal(back).status, 'executed')
  assert.equal(world.balance(rich), before[0] - 15n * bly)
  assert.equal(world.balance(poor), 5n * bly)
  assert.equal(world.balance(treasury), before[2] + 10n * bly)
  assert.equal(sendOne(world), 'ACCOUNT_FROZEN')
  world.requireConserved()
})

test('a validator that is taken out is jailed for the time and free after it, unless it was punished meanwhile', () => {
  const world = new VotesWorld()
  const jailed = (operator: number) => readPool(world.state, accountOf(operatorKey(operator)))!.jailedUntilMs
  const id = decide(world, exclude(3), 3)
  assert.equal(jailed(3), world.nowMs + hourMs)
  world.commit(1)
  const untilMs = jailed(3)!
  world.commit(hourMs - 2)
  assert.equal(jailed(3), untilMs)
  world.commit(1)
  assert.equal(jailed(3), null)
  assert.equal(world.proposal(id).status, 'ended')
  world.requireConserved()
})

test('a new epoch begins where consensus is reset, with the same set', () => {
  const world = new VotesWorld()
  const before = world.members.map(({ name }) => name)
  const id = decide(world, reset, 4)
  assert.equal(world.proposal(id).status, 'executed')
  assert.equal(epochOf(world).closesAt, null)
  world.commit(1)
  // The executor declares and closes epochs: here it is enough that the next set is asked for.
  assert.deepEqual(
    (world.state.get('validators/wanted') as { name: string }[]).map(({ name }) => name),
    before
  )
})

test('an emergency checkpoint is made with the commit that has its votes', () => {
  const world = new VotesWorld()
  const id = world.propose(operatorKey(0), emergency('consensus_failure', 'emergency_checkpoint'))
  world.votes(id, 'yes', 0, 1, 2)
  assert.ok(!world.commit())
  world.votes(id, 'yes', 3)
  assert.ok(world.commit())
  assert.equal(world.proposal(id).status, 'executed')
  assert.ok(!world.commit())
})

test('a frozen account receives and pays nothing, keeps its vote, and is free when the last emergency on it ends', () => {
  const world = new VotesWorld()
  world.stake(rich, 0, 1000n)
  const ids = [decide(world, freeze(hourMs), 3), decide(world, freeze(2 * hourMs), 3)]
  assert.deepEqual(frozenBy(world.state, accountOf(rich)), ids)
  assert.equal(sendOne(world), 'ACCOUNT_FROZEN')
  world.send(operatorKey(1), rich, 1n)
  const text = world.propose(operatorKey(1), { kind: 'text' })
  assert.equal(world.vote(rich, text), '')
  world.commit(hourMs)
  world.commit(1)
  assert.deepEqual(frozenBy(world.state, accountOf(rich)), [ids[1]])
  assert.equal(sendOne(world), 'ACCOUNT_FROZEN')
  world.commit(hourMs)
  assert.equal(sendOne(world), '')
  world.requireConserved()
})

test('rewards are lowered for the time, and come back as they were, or as they were voted meanwhile', () => {
  const world = new VotesWorld()
  const reward = () => parameterOf(world.state, world.genesis, 'rewardBaseUnits')
  const first = decide(world, adjust('7'), 3)
  assert.equal(reward(), 7n)
  assert.equal(originOf(world.state, 'rewardBaseUnits')!.proposal, first)
  assert.equal(world.refusalOf(operatorKey(1), adjust('5')), 'EMERGENCY_IN_FORCE')
  world.commit(hourMs)
  assert.deepEqual([reward(), originOf(world.state, 'rewardBaseUnits')], [usualReward, undefined])
  const changes = [{ name: 'rewardBaseUnits', value: units(900n) }]
  const voted = world.propose(rich, { kind: 'parameters', changes })
  world.votes(voted, 'yes', 0, 1)
  decide(world, adjust('0', 2 * hourMs), 3)
  assert.equal(world.close(voted).status, 'executed')
  assert.equal(reward(), 0n)
  world.commit(hourMs)
  assert.deepEqual([reward(), originOf(world.state, 'rewardBaseUnits')!.proposal], [900n * bly, voted])
})

test('an emergency issues at most its share of the supply, and what it issues counts for the year', () => {
  const world = new VotesWorld()
  const [left, had] = [world.balance(unissued), world.balance(treasury)]
  const million = units(1_000_000n)
  assert.equal(world.proposal(decide(world, mint(million), 3)).status, 'executed')
  assert.equal(world.balance(treasury), had + 1_000_000n * bly)
  assert.equal(world.balance(unissued), left - 1_000_000n * bly)
  // 10% of the 35 400 000 BLY in circulation at genesis are 3 540 000 in this year.
  const tooMuch = world.proposal(decide(world, mint(units(3_000_000n)), 3))
  assert.deepEqual([tooMuch.status, tooMuch.failure], ['failed', 'EMERGENCY_TOO_MUCH'])
  assert.equal(world.balance(treasury), had + 1_000_000n * bly)
  world.requireConserved()
})

test('whoever is punished while it is taken out, or was before, stays where the punishment put it', () => {
  const world = new VotesWorld({ operators: 7 })
  const punish = (operator: number, untilMs: number | null) =>
    jail(world.state, { operator: accountOf(operatorKey(operator)), untilMs, reason: 'double signing' })
  const until = (operator: number) => readPool(world.state, accountOf(operatorKey(operator)))!.jailedUntilMs
  punish(5, world.nowMs + 10 * hourMs)
  const operators = [4, 5, 6].map(operator => accountOf(operatorKey(operator)))
  decide(world, emergency('security_breach', 'update_validator_set', { operators }, hourMs), 5)
  punish(6, null)
  world.commit(hourMs)
  assert.equal(until(4), null)
  assert.equal(until(5), world.nowMs + 9 * hourMs)
  assert.ok(readPool(world.state, operators[2]!)!.isTombstoned)
})
