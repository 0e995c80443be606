import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import type { AccountView, HoldView, SupplyView } from '../../src/node/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, operatorKey, poor, rich } from '../ledger/ledger-world.ts'
import { errorCode, startApi } from './api-fixture.ts'
import { withLedger } from './ledger-double.ts'

const own = operatorKey(0)
const service = { kind: 'inference', expert: null, calls: 1 }

test('an account shows what is free, held and frozen of every coin, and whether it is the own', async t => {
  const { call, node } = await startApi(t)
  const world = withLedger(node)
  const show = async (query = ''): Promise<AccountView> =>
    (await (await call('GET', `/v0/account${query}`)).json()) as AccountView
  const first = await show()
  assert.equal(first.account, accountOf(own))
  assert.equal(first.isOwn, true)
  assert.equal(first.balances.BLY, (1_000_000n * bly).toString())
  assert.equal(first.balances.AUR, (100_000n * bly).toString())
  assert.equal(first.isFrozen, false)

  world.apply(rich, 'hold-quote', { amount: '70', coin: 'AUR', service, key: 'k' })
  const hold = ((await call('GET', '/v0/holds').then(answer => answer.text())).match(/"hold":"(\w+)"/) ?? [])[1]
  assert.equal(world.apply(own, 'hold-authorise', { hold, amount: '70' }), '')
  world.state.set(`frozen/${accountOf(own)}`, [1])
  const second = await show(`?account=${accountOf(own)}`)
  assert.equal(second.held.AUR, '70')
  assert.equal(BigInt(second.balances.AUR), 100_000n * bly - 70n)
  assert.equal(second.isFrozen, true)

  const nobody = await show(`?account=${accountOf(poor)}`)
  assert.deepEqual([nobody.isOwn, nobody.balances.BLY, nobody.staked], [false, '0', '0'])
  assert.equal((await call('GET', '/v0/account?account=bob')).status, 400)
})

test('accounts are listed whole, each with all its coins, and no more than were asked for', async t => {
  const { call, node } = await startApi(t)
  const world = withLedger(node)
  const list = async (limit: number): Promise<Pick<AccountView, 'account' | 'balances'>[]> =>
    (await (await call('GET', `/v0/accounts?limit=${limit}`)).text())
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line))
  const all = await list(1000)
  assert.deepEqual(
    all.map(({ account }) => account),
    all.map(({ account }) => account).toSorted()
  )
  for (const coin of ['BLY', 'GEN', 'NEX', 'FLX', 'AUR'] as const)
    assert.equal(
      all.reduce((sum, { balances }) => sum + BigInt(balances[coin]), 0n),
      BigInt(world.genesis.file.economy!.supply[coin])
    )
  for (const limit of [1, 2, all.length - 1]) assert.deepEqual(await list(limit), all.slice(0, limit))
})

test('the supply of every coin is the sum of all places where it can be', async t => {
  const { call, node } = await startApi(t)
  const world = withLedger(node)
  world.apply(rich, 'transfer', { to: accountOf(poor), amount: '1' })
  const view = (await (await call('GET', '/v0/supply')).json()) as SupplyView
  for (const coin of view.coins) {
    const places = [
      coin.unissued,
      coin.burnt,
      coin.validationPool,
      coin.rewardPool,
      coin.treasury,
      coin.bonded,
      coin.earned,
      coin.owed,
      coin.escrow,
      coin.accounts
    ]
    assert.equal(
      places.reduce((sum, units) => sum + BigInt(units), 0n),
      BigInt(coin.total),
      coin.coin
    )
    assert.equal(BigInt(coin.circulating), BigInt(coin.total) - BigInt(coin.unissued) - BigInt(coin.burnt))
  }
  assert.equal(view.coins[0]!.burnt, (bly / 100_000n).toString())
  assert.equal(view.issuance.yearMost, (BigInt(view.coins[0]!.circulating) / 10n).toString())
})

test('no account of the network is taken for that of a person', async t => {
  const { call, node } = await startApi(t)
  const world = withLedger(node)
  const systems = Object.values(systemAccounts)
  for (const account of systems) world.state.set(`balance/${account}/GEN`, '1')
  world.state.set(`balance/@unissued/GEN`, (BigInt(world.genesis.file.economy!.supply.GEN) - 10n ** 9n).toString())
  const view = (await (await call('GET', '/v0/supply')).json()) as SupplyView
  const others = systems.filter(account => account !== '@unissued').length
  assert.equal(view.coins[1]!.accounts, (10n ** 9n - BigInt(others)).toString())
})

test('holds are listed by account and status, and shown one by one', async t => {
  const { call, node } = await startApi(t)
  const world = withLedger(node)
  for (const key of ['a', 'b']) world.apply(rich, 'hold-quote', { amount: '70', service, key })
  world.apply(operatorKey(1), 'hold-quote', { amount: '70', service, key: 'a' })
  const list = async (query: string): Promise<HoldView[]> =>
    (await (await call('GET', `/v0/holds${query}`)).text())
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line))
  assert.equal((await list('')).length, 3)
  assert.equal((await list('?limit=2')).length, 2)
  assert.equal((await list(`?account=${accountOf(rich)}`)).length, 2)
  assert.equal((await list('?status=captured')).length, 0)
  const [one] = await list(`?account=${accountOf(operatorKey(1))}&status=quoted`)
  assert.deepEqual(await (await call('GET', `/v0/holds/${one!.hold}`)).json(), one)
  const unknown = await call('GET', `/v0/holds/${'0'.repeat(32)}`)
  assert.deepEqual([unknown.status, await errorCode(unknown)], [404, 'HOLD_UNKNOWN'])
})

test('the event that used a key is told, and a refusal of the network names its own code', async t => {
  const { call, node } = await startApi(t)
  withLedger(node)
  const send = (payload: object) => call('POST', '/v0/events', { json: { type: 'transfer', payload } })
  const to = accountOf(poor)
  assert.equal((await send({ to, amount: '1', key: 'k-1' })).status, 200)
  const again = await send({ to, amount: '1', key: 'k-1' })
  assert.equal(again.status, 409)
  const { error } = (await again.json()) as { error: { code: string; refusal: string } }
  assert.deepEqual([error.code, error.refusal], ['EVENT_REFUSED', 'EVENT_KEY_USED'])
  const known = await call('GET', `/v0/accounts/${accountOf(own)}/keys/k-1`)
  assert.match(((await known.json()) as { eventId: string }).eventId, /^bafy/)
  const unknown = await call('GET', `/v0/accounts/${accountOf(own)}/keys/k-2`)
  assert.deepEqual([unknown.status, await errorCode(unknown)], [404, 'EVENT_KEY_UNKNOWN'])
  const negative = await send({ to, amount: '-1' })
  assert.deepEqual([negative.status, await errorCode(negative)], [400, 'AMOUNT_NEGATIVE'])
})
