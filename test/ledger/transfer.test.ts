import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCanonical } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { transferHandler } from '../../src/ledger/index.ts'
import { accountOf, alice, bob, carol, SmallNetwork } from '../dag/small-network.ts'

const send = (network: SmallNetwork, from: typeof alice, payload: unknown) =>
  network.order(network.event(from, 'transfer', payload)).events[0]!.refusal

test('what one account loses the other gains', () => {
  const network = new SmallNetwork()
  assert.equal(send(network, alice, { to: accountOf(carol), amount: '400', memo: 'thanks' }), '')
  assert.deepEqual([network.balance(alice), network.balance(carol)], [600n, 400n])
})

test('a secp256k1 account sends like any other', () => {
  const network = new SmallNetwork()
  assert.equal(send(network, bob, { to: accountOf(alice), amount: '500' }), '')
  assert.deepEqual([network.balance(alice), network.balance(bob)], [1500n, 0n])
})

test('nobody sends more than they have, also not to themselves', () => {
  const network = new SmallNetwork()
  assert.equal(send(network, alice, { to: accountOf(bob), amount: '1001' }), 'BALANCE_TOO_LOW')
  assert.equal(send(network, alice, { to: accountOf(alice), amount: '1001' }), 'BALANCE_TOO_LOW')
  assert.equal(send(network, alice, { to: accountOf(alice), amount: '1000' }), '')
  assert.deepEqual([network.balance(alice), network.balance(bob)], [1000n, 500n])
})

test('no transfers, however they go, make or lose a coin', () => {
  const keys = [alice, bob, carol]
  const arbitraryTransfer = fc.record({ from: fc.nat(2), to: fc.nat(2), amount: fc.integer({ min: 1, max: 1200 }) })
  fc.assert(
    fc.property(fc.array(arbitraryTransfer, { maxLength: 25 }), transfers => {
      const network = new SmallNetwork()
      for (const { from, to, amount } of transfers) {
        const before = network.balance(keys[from]!)
        const refusal = send(network, keys[from]!, { to: accountOf(keys[to]!), amount: String(amount) })
        assert.equal(refusal, before < BigInt(amount) ? 'BALANCE_TOO_LOW' : '')
        const balances = keys.map(key => network.balance(key))
        assert.ok(balances.every(balance => balance >= 0n))
        assert.equal(
          balances.reduce((sum, balance) => sum + balance),
          1500n
        )
      }
    }),
    { numRuns: 30 }
  )
})

const to = accountOf(bob)
const bad: Record<string, unknown> = {
  'an amount of zero': { to, amount: '0' },
  'an amount below zero': { to, amount: '-1' },
  'an amount with a leading zero': { to, amount: '01' },
  'an amount with a fraction': { to, amount: '1.5' },
  'an amount that is a number': { to, amount: 1 },
  'an amount beyond all coins': { to, amount: '9999999999999999999' },
  'an account that is none': { to: 'bob', amount: '1' },
  'another coin': { to, amount: '1', coin: 'EUR' },
  'a memo that is too long': { to, amount: '1', memo: 'x'.repeat(257) },
  'a field that nobody knows': { to, amount: '1', fee: '1' },
  'no account': { amount: '1' }
}

for (const [name, payload] of Object.entries(bad)) {
  test(`a transfer is refused for ${name}`, () => {
    const network = new SmallNetwork()
    const before = network.balance(alice)
    assert.equal(send(network, alice, encodeCanonical(payload as never)), 'EVENT_PAYLOAD_INVALID')
    assert.equal(network.balance(alice), before)
  })
}

test('what is refused at execution is refused when the payload is made, with the same code', () => {
  for (const [name, payload] of Object.entries(bad)) {
    if (name === 'an amount beyond all coins') continue
    assert.throws(
      () => transferHandler.encodePayload(payload),
      error => isBlyanError(error, 'EVENT_PAYLOAD_INVALID'),
      name
    )
  }
})
