import assert from 'node:assert/strict'
import { test } from 'node:test'
import { move, systemAccounts } from '../../src/ledger/book/book.ts'
import { addEarnings, bondedStakeOf, claimableBy, totalBonded, unbondingOf } from '../../src/ledger/staking/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { poor, rich } from './ledger-world.ts'
import { bly, keyOf, operatorKey, StakingWorld, text, unbondingMs } from './staking-world.ts'

const first = operatorKey(0)
const dayMs = 24 * 3_600_000

test('genesis makes a bonded pool for every operator, with the stake of its account', () => {
  const world = new StakingWorld()
  const pool = world.pool(first)!
  assert.deepEqual(
    [pool.status, pool.name, pool.stakeUnits, pool.commissionBasisPoints],
    ['bonded', 'v0', 100_000n * bly, 500]
  )
  assert.equal(world.bonded(first, first), 100_000n * bly)
  assert.equal(totalBonded(world.state), 400_000n * bly)
  assert.equal(world.state.get(`stake/${accountOf(first)}`), text(100_000n))
  world.check()
})

test('stake goes from the account to the pool, and after the unbonding time back to the account, to the unit', () => {
  const world = new StakingWorld()
  const before = world.balance(rich)
  assert.equal(world.stake(rich, first, 500n), '')
  assert.equal(world.balance(rich), before - 500n * bly)
  assert.equal(bondedStakeOf(world.state, accountOf(rich)), 500n * bly)
  assert.equal(world.unstake(rich, first, 200n), '')
  assert.equal(world.bonded(rich, first), 300n * bly)
  world.commit(unbondingMs - 1)
  assert.equal(world.balance(rich), before - 500n * bly, 'free too early')
  world.commit(1)
  assert.equal(world.balance(rich), before - 300n * bly)
  assert.deepEqual(unbondingOf(world.state, accountOf(rich)), [])
  assert.equal(world.unstake(rich, first, 300n), '')
  assert.equal(world.state.get(`stake/${accountOf(rich)}`), undefined)
  world.commit(unbondingMs)
  assert.equal(world.balance(rich), before)
  world.check()
})

test('what is on its way out can be cancelled once, and is bonded again', () => {
  const world = new StakingWorld()
  world.stake(rich, first, 500n)
  world.unstake(rich, first, 200n)
  assert.equal(world.cancel(rich, 2), 'UNBONDING_UNKNOWN')
  assert.equal(world.cancel(first, 1), 'UNBONDING_UNKNOWN')
  assert.equal(world.cancel(rich, 1), '')
  assert.equal(world.bonded(rich, first), 500n * bly)
  assert.equal(world.cancel(rich, 1), 'UNBONDING_CANCELLED_ALREADY')
  const before = world.balance(rich)
  world.commit(unbondingMs)
  assert.equal(world.balance(rich), before, 'a cancelled entry paid out')
  world.unstake(rich, first, 100n)
  world.commit(unbondingMs)
  assert.equal(world.cancel(rich, 2), 'UNBONDING_UNKNOWN', 'one that is free')
  world.check()
})

test('each bad stake has its own code and moves nothing', () => {
  const world = new StakingWorld()
  world.stake(rich, first, 10n)
  const root = world.state.root()
  const amount = (units: string) => ({ operator: accountOf(first), amount: units })
  assert.equal(world.apply(rich, 'stake', amount('999999999')), 'STAKE_BELOW_MINIMUM')
  assert.equal(world.apply(rich, 'stake', amount('-5')), 'AMOUNT_NEGATIVE')
  assert.equal(world.apply(rich, 'stake', amount('1.5')), 'AMOUNT_FRACTIONAL')
  assert.equal(world.apply(rich, 'stake', amount('0')), 'AMOUNT_ZERO')
  assert.equal(world.apply(rich, 'stake', { operator: 'nobody', amount: text(5n) }), 'ACCOUNT_INVALID')
  assert.equal(world.stake(rich, rich, 5n), 'OPERATOR_UNKNOWN')
  assert.equal(world.stake(poor, first, 5n), 'BALANCE_TOO_LOW')
  assert.equal(world.stake(rich, first, 2_000_000n), 'BALANCE_TOO_LOW')
  assert.equal(world.unstake(rich, first, 11n), 'UNSTAKE_TOO_MUCH')
  assert.equal(world.unstake(poor, first, 1n), 'STAKE_NONE')
  assert.equal(world.unstake(rich, rich, 1n), 'OPERATOR_UNKNOWN')
  assert.equal(world.apply(rich, 'unstake', amount('9500000000')), 'STAKE_REST_TOO_SMALL')
  assert.equal(world.claim(rich, first), 'EARNINGS_NONE')
  assert.equal(world.claim(poor, first), 'STAKE_NONE')
  assert.equal(world.claim(poor, poor), 'OPERATOR_UNKNOWN')
  assert.equal(world.state.root(), root)
  world.check()
})

test('an account has at most seven amounts on their way out of one operator', () => {
  const world = new StakingWorld()
  world.stake(rich, first, 100n)
  for (let count = 0; count < 7; count++) assert.equal(world.unstake(rich, first, 1n), '')
  assert.equal(world.unstake(rich, first, 1n), 'UNBONDING_FULL')
  world.commit(unbondingMs)
  assert.equal(world.unstake(rich, first, 1n), '')
  world.check()
})

test('an account has stake with at most 32 operators', () => {
  const world = new StakingWorld({ operators: 33 })
  for (let place = 0; place < 32; place++) assert.equal(world.stake(rich, operatorKey(place), 1n), '')
  assert.equal(world.stake(rich, operatorKey(32), 1n), 'STAKE_OPERATORS_FULL')
  assert.equal(world.stake(rich, operatorKey(31), 1n), '')
  world.check()
})

test('earnings are shared by stake after the commission, and claimed once', () => {
  const world = new StakingWorld()
  world.stake(rich, first, 300_000n)
  move(world.state, systemAccounts.rewardPool, systemAccounts.earned, 'BLY', 1000n * bly)
  addEarnings(world.state, { operator: accountOf(first), units: 1000n * bly })
  assert.deepEqual(claimableBy(world.state, accountOf(first), accountOf(first)), {
    earned: (950n * bly) / 4n,
    commission: 50n * bly
  })
  const [before, richBefore] = [world.balance(first), world.balance(rich)]
  assert.equal(world.claim(first, first), '')
  assert.equal(world.balance(first) - before, (950n * bly) / 4n + 50n * bly)
  assert.equal(world.claim(first, first), 'EARNINGS_NONE')
  // Taking stake out pays what it has earned: nothing is forgotten with the bond.
  assert.equal(world.unstake(rich, first, 300_000n), '')
  assert.equal(world.balance(rich) - richBefore, (3n * 950n * bly) / 4n)
  assert.equal(world.balance(systemAccounts.earned), 0n)
  world.check()
})

test('earnings of an operator that is not known go back to the reward pool', () => {
  const world = new StakingWorld()
  const before = world.balance(systemAccounts.rewardPool)
  move(world.state, systemAccounts.rewardPool, systemAccounts.earned, 'BLY', 5n)
  addEarnings(world.state, { operator: accountOf(poor), units: 5n })
  assert.equal(world.balance(systemAccounts.rewardPool), before)
})

test('who stakes after something was earned has no part in it', () => {
  const world = new StakingWorld()
  move(world.state, systemAccounts.rewardPool, systemAccounts.earned, 'BLY', 1000n)
  addEarnings(world.state, { operator: accountOf(first), units: 1000n })
  world.stake(rich, first, 100_000n)
  assert.equal(claimableBy(world.state, accountOf(rich), accountOf(first)).earned, 0n)
  assert.equal(claimableBy(world.state, accountOf(first), accountOf(first)).earned, 950n)
})

test('a commission rises once a day and by little, also by leaving and coming back, and falls at any time', () => {
  const world = new StakingWorld()
  const edit = (commissionBasisPoints: number) => world.apply(first, 'operator-edit', { commissionBasisPoints })
  assert.equal(edit(600), 'COMMISSION_RAISE_TOO_SOON')
  world.commit(dayMs)
  assert.equal(edit(601), 'COMMISSION_RAISE_TOO_LARGE')
  assert.equal(edit(600), '')
  assert.equal(edit(601), 'COMMISSION_RAISE_TOO_SOON')
  assert.equal(edit(100), '')
  assert.equal(edit(100), 'OPERATOR_NOTHING_TO_EDIT')
  world.leave(first)
  assert.equal(world.join(first, 'again', { commissionBasisPoints: 9000 }), 'COMMISSION_RAISE_TOO_LARGE')
  assert.equal(edit(10_001), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.pool(first)!.commissionBasisPoints, 100)
})

test('a key, its owner and the node must all agree to a validator', () => {
  const world = new StakingWorld()
  const other = keyOf('other')
  const proofs = world.joinPayload(rich, 'mine')
  assert.equal(world.apply(other, 'operator-join', proofs), 'OPERATOR_PROOF_WRONG', 'proofs for another account')
  const { peerId, peerProof } = world.joinPayload(rich, 'theirs')
  assert.equal(world.join(rich, 'mine', { peerProof }), 'OPERATOR_PROOF_WRONG', 'a peer id without its key')
  assert.equal(world.join(rich, 'mine', { peerId: `12D3KooW${'1'.repeat(44)}` }), 'OPERATOR_PROOF_WRONG')
  assert.equal(world.join(rich, 'mine', { key: accountOf(keyOf('k', 'secp256k1')) }), 'OPERATOR_KEY_UNFIT')
  assert.equal(world.join(rich, 'mine', { website: 'javascript:alert(1)' }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.join(rich, 'mine', { key: world.pool(first)!.key }), 'OPERATOR_KEY_TAKEN')
  assert.equal(world.join(rich, 'mine'), '')
  assert.equal(world.join(rich, 'mine'), 'OPERATOR_ALREADY')
  const taken = world.joinPayload(poor, 'mine')
  assert.equal(world.apply(poor, 'operator-join', taken), 'OPERATOR_KEY_TAKEN')
  const { peerId: takenPeer, peerProof: takenProof } = taken
  assert.equal(world.join(poor, 'third', { peerId: takenPeer, peerProof: takenProof }), 'OPERATOR_PEER_ID_TAKEN')
  assert.equal(world.join(poor, 'third', { peerId, peerProof }), 'OPERATOR_PROOF_WRONG')
})

test('who has staked all it had can still claim and take out: the fee comes from what was earned', () => {
  const world = new StakingWorld({ parameters: { feeUnits: '1000' } })
  const all = world.balance(rich) - 1000n
  assert.equal(world.apply(rich, 'stake', { operator: accountOf(first), amount: all.toString() }), '')
  assert.equal(world.balance(rich), 0n)
  assert.equal(world.unstake(rich, first, 5n), 'BALANCE_TOO_LOW')
  for (const act of [() => world.claim(rich, first), () => world.unstake(rich, first, 5n)]) {
    move(world.state, systemAccounts.rewardPool, systemAccounts.earned, 'BLY', bly)
    addEarnings(world.state, { operator: accountOf(first), units: bly })
    assert.equal(act(), '')
  }
  world.check()
})
