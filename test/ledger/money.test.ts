import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCanonical } from '../../src/codec/index.ts'
import { balanceOf, move, post, systemAccounts } from '../../src/ledger/book/book.ts'
import { coins } from '../../src/ledger/book/coins.ts'
import { eventOfKey } from '../../src/ledger/book/event-keys.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, poor, rich } from './ledger-world.ts'

const fee = bly / 1000n
const to = accountOf(poor)

test('every coin is sent; the fee is BLY, of which a hundredth is burnt', () => {
  const world = new LedgerWorld()
  const [pool, burnt] = [world.balance(systemAccounts.rewardPool), world.balance(systemAccounts.burnt)]
  for (const coin of coins) {
    const before = world.balance(rich, coin)
    assert.equal(world.apply(rich, 'transfer', { to, amount: '7', coin }), '')
    assert.equal(world.balance(poor, coin), 7n)
    assert.equal(world.balance(rich, coin), before - 7n - (coin === 'BLY' ? fee : 0n))
  }
  assert.equal(world.balance(systemAccounts.burnt) - burnt, (fee / 100n) * 5n)
  assert.equal(world.balance(systemAccounts.rewardPool) - pool, (fee - fee / 100n) * 5n)
  world.requireConserved()
})

test('the fee comes on top: who sends everything lacks it', () => {
  const world = new LedgerWorld()
  const all = world.balance(rich)
  assert.equal(world.apply(rich, 'transfer', { to, amount: all.toString() }), 'BALANCE_TOO_LOW')
  assert.equal(world.balance(rich), all)
  assert.equal(world.apply(rich, 'transfer', { to, amount: (all - fee).toString() }), '')
  assert.equal(world.state.get(`balance/${accountOf(rich)}/BLY`), undefined)
  assert.equal(world.apply(rich, 'transfer', { to, amount: '1', coin: 'GEN' }), 'BALANCE_TOO_LOW')
  world.requireConserved()
})

test('a fee of which a hundredth is no whole unit is burnt rounded down', () => {
  const world = new LedgerWorld({ parameters: { feeUnits: '199' } })
  const [pool, burnt] = [world.balance(systemAccounts.rewardPool), world.balance(systemAccounts.burnt)]
  assert.equal(world.apply(rich, 'transfer', { to, amount: '1' }), '')
  assert.equal(world.balance(systemAccounts.burnt) - burnt, 1n)
  assert.equal(world.balance(systemAccounts.rewardPool) - pool, 198n)
})

const bad: Record<string, readonly [code: string, payload: unknown]> = {
  'more than the account has': ['BALANCE_TOO_LOW', { to, amount: (10n ** 26n).toString() }],
  'a negative amount': ['AMOUNT_NEGATIVE', { to, amount: '-1' }],
  'a negative number': ['AMOUNT_NEGATIVE', { to, amount: -1 }],
  'a negative fraction': ['AMOUNT_NEGATIVE', { to, amount: '-0.5' }],
  'a fraction': ['AMOUNT_FRACTIONAL', { to, amount: '1.5' }],
  'a fraction as a number': ['AMOUNT_FRACTIONAL', { to, amount: 1.5 }],
  nothing: ['AMOUNT_ZERO', { to, amount: '0' }],
  'an overflow': ['AMOUNT_TOO_LARGE', { to, amount: (10n ** 27n).toString() }],
  'an amount of more digits than a number holds': ['AMOUNT_TOO_LARGE', { to, amount: '9'.repeat(400) }],
  'an amount that is a number': ['AMOUNT_INVALID', { to, amount: 1 }],
  'an amount in other signs': ['AMOUNT_INVALID', { to, amount: '0x10' }],
  'an amount with a zero before it': ['AMOUNT_INVALID', { to, amount: '01' }],
  'an account that is none': ['ACCOUNT_INVALID', { to: 'bob', amount: '1' }],
  'a system account': ['ACCOUNT_INVALID', { to: '@treasury', amount: '1' }],
  'a coin that is none': ['COIN_UNKNOWN', { to, amount: '1', coin: 'EUR' }],
  'a name that every object has': ['COIN_UNKNOWN', { to, amount: '1', coin: 'constructor' }],
  'the own account': ['TRANSFER_TO_SELF', { to: accountOf(rich), amount: '1' }],
  'a field nobody knows': ['EVENT_PAYLOAD_INVALID', { to, amount: '1', fee: '1' }],
  'no amount': ['EVENT_PAYLOAD_INVALID', { to }],
  'a key with signs of its own': ['EVENT_PAYLOAD_INVALID', { to, amount: '1', key: 'a/b' }],
  'a memo that is too long': ['EVENT_PAYLOAD_INVALID', { to, amount: '1', memo: 'x'.repeat(257) }]
}

for (const [name, [code, payload]] of Object.entries(bad)) {
  test(`a transfer is refused for ${name}: ${code}`, () => {
    const world = new LedgerWorld()
    const root = world.state.root()
    assert.equal(world.apply(rich, 'transfer', payload), code)
    assert.equal(world.state.root(), root)
  })
}

test('who encodes a bad payload past the client is refused with the same code', () => {
  const world = new LedgerWorld()
  const root = world.state.root()
  const whole = { to, amount: '1', coin: 'BLY', memo: '', key: '' }
  const send = (changes: object) => world.applyPayload(rich, 'transfer', encodeCanonical({ ...whole, ...changes }))
  assert.equal(send({ amount: '-1' }), 'AMOUNT_NEGATIVE')
  assert.equal(send({ coin: 'EUR' }), 'COIN_UNKNOWN')
  assert.equal(send({ to: '@escrow' }), 'ACCOUNT_INVALID')
  assert.equal(world.applyPayload(rich, 'transfer', encodeCanonical({ to, amount: '1' })), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.state.root(), root)
  assert.equal(send({}), '')
})

test('two nodes that spend the same coins at once: the order decides, the second is refused', () => {
  const world = new LedgerWorld()
  const all = (world.balance(rich) - fee).toString()
  assert.equal(world.apply(rich, 'transfer', { to, amount: all }), '')
  assert.equal(world.apply(rich, 'transfer', { to: accountOf(operatorKey(1)), amount: all }), 'BALANCE_TOO_LOW')
  assert.equal(world.balance(poor), BigInt(all))
  world.requireConserved()
})

test('a key is used once by its author, whatever the event, until it is forgotten', () => {
  const world = new LedgerWorld({ parameters: { eventKeyMs: '60000' } })
  const send = (amount: string, from = rich) => world.apply(from, 'transfer', { to, amount, key: 'invoice-7' })
  assert.equal(send('5'), '')
  const first = eventOfKey(world.state, accountOf(rich), 'invoice-7')
  assert.equal(first?.length, 32)
  const root = world.state.root()
  assert.equal(send('5'), 'EVENT_KEY_USED')
  assert.equal(send('6'), 'EVENT_KEY_USED')
  assert.equal(world.state.root(), root)
  assert.equal(send('5', operatorKey(2)), '')
  world.commit(59_999)
  assert.equal(send('5'), 'EVENT_KEY_USED')
  world.commit(1)
  assert.equal(eventOfKey(world.state, accountOf(rich), 'invoice-7'), undefined)
  assert.equal(send('5'), '')
  assert.equal(world.balance(poor), 15n)
})

test('a transfer that is refused leaves its key free', () => {
  const world = new LedgerWorld()
  const much = (10n ** 26n).toString()
  assert.equal(world.apply(rich, 'transfer', { to, amount: much, key: 'k' }), 'BALANCE_TOO_LOW')
  assert.equal(world.apply(rich, 'transfer', { to, amount: '1', key: 'k' }), '')
})

test('nothing is taken from an account that is frozen, and it is still paid', () => {
  const world = new LedgerWorld()
  world.state.set(`frozen/${accountOf(rich)}`, true)
  const root = world.state.root()
  assert.equal(world.apply(rich, 'transfer', { to, amount: '1' }), 'ACCOUNT_FROZEN')
  assert.equal(world.state.root(), root)
  assert.equal(world.apply(operatorKey(0), 'transfer', { to: accountOf(rich), amount: '1' }), '')
})

test('an entry moves several coins between several accounts, or nothing', () => {
  const { state } = new LedgerWorld()
  const person = accountOf(rich)
  const other = accountOf(poor)
  const before = balanceOf(state, person, 'GEN')
  const root = state.root()
  const swap = (units: bigint) => [
    { account: person, coin: 'GEN', change: -units } as const,
    { account: other, coin: 'GEN', change: units } as const,
    { account: other, coin: 'AUR', change: -1n } as const,
    { account: person, coin: 'AUR', change: 1n } as const
  ]
  assert.throws(() => post(state, swap(1n)), { code: 'BALANCE_TOO_LOW' })
  assert.equal(state.root(), root)
  move(state, person, other, 'AUR', 1n)
  post(state, swap(1n))
  assert.equal(balanceOf(state, person, 'GEN'), before - 1n)
  assert.equal(balanceOf(state, other, 'GEN'), 1n)
})

test('an entry may take and give one account the same coin: what counts is the sum', () => {
  const { state } = new LedgerWorld()
  const person = accountOf(poor)
  post(state, [
    { account: person, coin: 'BLY', change: -5n },
    { account: person, coin: 'BLY', change: 7n },
    { account: accountOf(rich), coin: 'BLY', change: -2n }
  ])
  assert.equal(balanceOf(state, person, 'BLY'), 2n)
})

test('no transfers, however they go, make or lose a coin, and every refusal changes nothing', () => {
  const keys = [rich, poor, operatorKey(0), operatorKey(1)]
  const arbitrary = fc.record({
    from: fc.nat(3),
    to: fc.nat(3),
    coin: fc.constantFrom(...coins),
    amount: fc.bigInt({ min: -5n, max: 10n ** 16n }),
    key: fc.constantFrom('', '', 'a', 'b')
  })
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 25 }), transfers => {
      const world = new LedgerWorld()
      for (const { from, to, coin, amount, key } of transfers) {
        const memory = world.state.remember()
        const payload = { to: accountOf(keys[to]!), amount: amount.toString(), coin, key }
        const refusal = world.apply(keys[from]!, 'transfer', payload)
        if (refusal !== '')
          for (const [name, bytes] of memory) assert.deepEqual(world.state.bytesOf(name), bytes, `${refusal}: ${name}`)
        world.state.forget(memory)
      }
      world.requireConserved()
    }),
    { numRuns: 40 }
  )
})
