import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisOf } from '../../src/dag/index.ts'
import { jail } from '../../src/ledger/staking/index.ts'
import type { OperatorView, StakeView } from '../../src/node/index.ts'
import { operatorsView, stakeRulesView } from '../../src/node/views/staking-view.ts'
import { accountOf, genesisFile } from '../dag/small-network.ts'
import { rich, validatorKey } from '../ledger/ledger-world.ts'
import { bly, operatorKey, StakingWorld, text, unbondingMs } from '../ledger/staking-world.ts'
import { errorCode, startApi } from './api-fixture.ts'
import { withLedger } from './ledger-double.ts'

const first = operatorKey(0)

test('a validator is shown by its account, its name, and its key, with what decides about it', async t => {
  const { call, node } = await startApi(t)
  const world = withLedger(node, new StakingWorld()) as StakingWorld
  const show = async (wanted: string): Promise<OperatorView> =>
    (await (await call('GET', `/v0/validators/${wanted}`)).json()) as OperatorView
  const byName = await show('v0')
  assert.deepEqual(await show(accountOf(first)), byName)
  assert.deepEqual(await show(accountOf(validatorKey(0))), byName)
  assert.deepEqual(
    [byName.stake, byName.selfStake, byName.state, byName.isMember, byName.inNextSet, byName.weight, byName.hasThird],
    [text(100_000n), text(100_000n), 'bonded', true, true, 1, false]
  )
  jail(world.state, { operator: accountOf(first), untilMs: world.nowMs + 1000, reason: 'downtime' })
  world.commit(0)
  const jailed = await show('v0')
  assert.deepEqual([jailed.state, jailed.jailReason, jailed.inNextSet], ['jailed', 'downtime', false])
  jail(world.state, { operator: accountOf(first), untilMs: null, reason: 'double signing' })
  assert.deepEqual([(await show('v0')).state, (await show('v0')).jailedUntil], ['tombstoned', null])
  assert.equal(await errorCode(await call('GET', '/v0/validators/nobody')), 'OPERATOR_NOT_FOUND')
  world.join(rich, 'v1')
  world.stake(rich, rich, 10_000n)
  assert.equal(await errorCode(await call('GET', '/v0/validators/v1')), 'OPERATOR_NAME_SHARED')
})

test('stake is shown with what it earned and when what leaves is free', async t => {
  const { call, node } = await startApi(t)
  const world = withLedger(node, new StakingWorld()) as StakingWorld
  const show = async (query = ''): Promise<StakeView> =>
    (await (await call('GET', `/v0/stake${query}`)).json()) as StakeView
  const none = await show(`?account=${accountOf(rich)}`)
  assert.deepEqual([none.total, none.bonds, none.unbonding], ['0', [], []])
  world.unstake(first, first, 40_000n)
  const own = await show()
  assert.deepEqual([own.account, own.total], [accountOf(first), text(60_000n)])
  const [entry] = own.unbonding
  assert.deepEqual(
    [entry?.number, entry?.name, entry?.amount, entry?.free],
    [1, 'v0', (40_000n * bly).toString(), new Date(world.nowMs + unbondingMs).toISOString()]
  )
})

test('one validator with more than a third of the weight is said so', () => {
  const world = new StakingWorld({ weights: 'stake' })
  world.stake(rich, first, 200_000n)
  world.commit(60_000)
  world.nextEpoch()
  const { state, genesis } = world
  const operators = operatorsView({ state, genesis, account: accountOf(rich) })
  assert.deepEqual(
    operators.map(operator => operator.hasThird),
    [true, false, false, false]
  )
})

test('where there is no economy there are no operators, and the routes say so', async t => {
  const { call, node } = await startApi(t)
  const access = { ...node.ledger, genesis: genesisOf(genesisFile()) }
  Object.assign(node, { ledger: access })
  assert.deepEqual([operatorsView(access), stakeRulesView(access)], [[], null])
  assert.equal(await errorCode(await call('GET', '/v0/stake')), 'ECONOMY_NONE')
  assert.equal(await errorCode(await call('GET', '/v0/validators/v0')), 'ECONOMY_NONE')
})
