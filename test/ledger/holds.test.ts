import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import type { Hold } from '../../src/ledger/holds/hold.ts'
import { holdIdOf, readHold } from '../../src/ledger/holds/index.ts'
import { readUsage } from '../../src/ledger/rewards/usage.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, poor, rich } from './ledger-world.ts'

const fee = bly / 1000n
const payee = operatorKey(1)
const payer = rich
const key = 'answer-1'
const hold = holdIdOf(accountOf(payee), key)
const quoteMs = 300_000
const holdMs = 3_600_000
const keptMs = 86_400_000
const service = { kind: 'inference', expert: null, calls: 10 }
const usage = { calls: 10, responseMsTotal: 1234 }
const price = 100n * bly
const amount = price.toString()

const quote = (world: LedgerWorld, changes: object = {}) =>
  world.apply(payee, 'hold-quote', { coin: 'BLY', amount, service, key, ...changes })
const authorise = (world: LedgerWorld, units = price, by = payer) =>
  world.apply(by, 'hold-authorise', { hold, amount: units.toString() })
const capture = (world: LedgerWorld, units = price, changes: object = {}, by = payee) =>
  world.apply(by, 'hold-capture', { hold, amount: units.toString(), usage, ...changes })
const credit = (world: LedgerWorld, by = payee) => world.apply(by, 'hold-credit', { hold })
const fail = (world: LedgerWorld, by = payee) => world.apply(by, 'hold-fail', { hold, reason: 'no memory left' })
const reverse = (world: LedgerWorld, by = payee) => world.apply(by, 'hold-reverse', { hold, reason: 'wrong answer' })
const statusOf = (world: LedgerWorld): Hold['status'] | undefined => readHold(world.state, hold)?.status

/** A world in which the hold has come so far. */
function worldAt(stage: 'quoted' | 'authorised' | 'captured' | 'credited'): LedgerWorld {
  const world = new LedgerWorld()
  assert.equal(quote(world), '')
  if (stage === 'quoted') return world
  assert.equal(authorise(world), '')
  if (stage === 'authorised') return world
  assert.equal(capture(world), '')
  if (stage === 'captured') return world
  assert.equal(credit(world), '')
  return world
}

function refused(world: LedgerWorld, code: string, act: () => string): void {
  const root = world.state.root()
  assert.equal(act(), code)
  assert.equal(world.state.root(), root, `${code} changed something`)
}

test('quote, authorise, capture, credit: the payee gets what was captured, the payer the rest', () => {
  const world = new LedgerWorld()
  const [payerBefore, payeeBefore] = [world.balance(payer), world.balance(payee)]
  assert.equal(quote(world), '')
  assert.equal(world.balance(systemAccounts.escrow), 0n)
  assert.equal(authorise(world), '')
  assert.equal(world.balance(systemAccounts.escrow), price)
  assert.equal(world.balance(payer), payerBefore - price - fee)
  assert.equal(capture(world, price - 1n), '')
  assert.equal(world.balance(payee), payeeBefore - 2n * fee)
  assert.equal(credit(world), '')
  assert.equal(world.balance(systemAccounts.escrow), 0n)
  assert.equal(world.balance(payee), payeeBefore - 3n * fee + price - 1n)
  assert.equal(world.balance(payer), payerBefore - fee - price + 1n)
  assert.equal(statusOf(world), 'credited')
  world.requireConserved()
})

test('a hold is of any coin', () => {
  const world = new LedgerWorld()
  assert.equal(quote(world, { coin: 'GEN', amount: '500' }), '')
  assert.equal(authorise(world, 500n), '')
  assert.equal(world.balance(systemAccounts.escrow, 'GEN'), 500n)
  assert.equal(capture(world, 500n), '')
  const before = world.balance(payee, 'GEN')
  assert.equal(credit(world, payer), '')
  assert.equal(world.balance(payee, 'GEN'), before + 500n)
  world.requireConserved()
})

test('who wants the coins of another quotes, and nobody holds for themselves', () => {
  const world = new LedgerWorld()
  refused(world, 'HOLD_TO_SELF', () => quote(world, { payer: accountOf(payee) }))
  assert.equal(quote(world), '')
  refused(world, 'HOLD_TO_SELF', () => authorise(world, price, payee))
  world.requireConserved()
})

test('what was credited counts as use of the expert that served it, once', () => {
  const world = new LedgerWorld()
  world.state.set('part/layer0.expert0', { type: 'expert' })
  assert.equal(quote(world, { service: { ...service, expert: 'layer0.expert0' } }), '')
  assert.equal(authorise(world), '')
  assert.equal(capture(world), '')
  assert.deepEqual(readUsage(world.state), [])
  assert.equal(credit(world), '')
  refused(world, 'HOLD_CLOSED', () => credit(world))
  assert.deepEqual(readUsage(world.state), [
    { expert: 'layer0.expert0', holders: [{ holder: accountOf(payee), ...usage, lastMs: world.nowMs }] }
  ])
})

test('a quote for one payer is for no other', () => {
  const world = new LedgerWorld()
  assert.equal(quote(world, { payer: accountOf(payer) }), '')
  refused(world, 'HOLD_NOT_PAYER', () => authorise(world, price, operatorKey(2)))
  assert.equal(authorise(world), '')
})

test('one key makes one hold of a payee, and another payee has other holds', () => {
  const world = worldAt('quoted')
  refused(world, 'HOLD_KEY_USED', () => quote(world))
  refused(world, 'HOLD_KEY_USED', () => quote(world, { amount: '1' }))
  assert.equal(world.apply(operatorKey(2), 'hold-quote', { amount, service, key }), '')
  assert.notEqual(holdIdOf(accountOf(operatorKey(2)), key), hold)
})

test('two that authorise one quote at once: the order decides, the second keeps its coins', () => {
  const world = worldAt('quoted')
  const other = operatorKey(2)
  const before = world.balance(other)
  assert.equal(authorise(world), '')
  refused(world, 'HOLD_ALREADY_AUTHORISED', () => authorise(world, price, other))
  refused(world, 'HOLD_ALREADY_AUTHORISED', () => authorise(world))
  assert.equal(world.balance(other), before)
  assert.equal(world.balance(systemAccounts.escrow), price)
})

test('coins that are held are not there for a second hold', () => {
  const world = new LedgerWorld()
  const most = world.balance(payer) - 2n * fee
  const second = holdIdOf(accountOf(payee), 'second')
  assert.equal(quote(world, { amount: most.toString() }), '')
  assert.equal(quote(world, { key: 'second', amount: most.toString() }), '')
  assert.equal(authorise(world, most), '')
  refused(world, 'BALANCE_TOO_LOW', () =>
    world.apply(payer, 'hold-authorise', { hold: second, amount: most.toString() })
  )
  refused(world, 'BALANCE_TOO_LOW', () =>
    world.apply(poor, 'hold-authorise', { hold: second, amount: most.toString() })
  )
  world.requireConserved()
})

test('a price may differ from the quote by a tenth and no more', () => {
  for (const [units, code] of [
    [price + price / 10n, ''],
    [price - price / 10n, ''],
    [price + price / 10n + 1n, 'HOLD_PRICE_MISMATCH'],
    [price - price / 10n - 1n, 'HOLD_PRICE_MISMATCH']
  ] as const) {
    const world = worldAt('quoted')
    if (code === '') assert.equal(authorise(world, units), '')
    else refused(world, code, () => authorise(world, units))
  }
})

test('no more is captured than was authorised, and no more calls than were quoted and a tenth', () => {
  const world = worldAt('authorised')
  refused(world, 'HOLD_CAPTURE_TOO_LARGE', () => capture(world, price + 1n))
  refused(world, 'HOLD_USAGE_MISMATCH', () => capture(world, price, { usage: { calls: 12, responseMsTotal: 0 } }))
  assert.equal(capture(world, price, { usage: { calls: 11, responseMsTotal: 0 } }), '')
})

test('a quote expires, at its very millisecond, and is refused before the agenda has acted and after', () => {
  const world = worldAt('quoted')
  world.nowMs += quoteMs - 1
  const early = worldAt('quoted')
  early.nowMs += quoteMs - 1
  assert.equal(authorise(early), '')
  world.nowMs += 1
  refused(world, 'HOLD_QUOTE_EXPIRED', () => authorise(world))
  refused(world, 'HOLD_QUOTE_EXPIRED', () => fail(world))
  world.commit()
  assert.equal(statusOf(world), 'expired')
  refused(world, 'HOLD_QUOTE_EXPIRED', () => authorise(world))
  refused(world, 'HOLD_QUOTE_EXPIRED', () => capture(world))
  world.commit(keptMs)
  assert.equal(readHold(world.state, hold), undefined)
  refused(world, 'HOLD_UNKNOWN', () => authorise(world))
  assert.equal(quote(world), '', 'the key is free again')
})

test('an authorised hold that nobody captures gives everything back', () => {
  const world = worldAt('authorised')
  const before = world.balance(payer)
  world.commit(holdMs - 1)
  assert.equal(world.balance(systemAccounts.escrow), price)
  world.nowMs += 1
  refused(world, 'HOLD_EXPIRED', () => capture(world))
  world.commit()
  assert.equal(world.balance(payer), before + price)
  assert.equal(statusOf(world), 'expired')
  refused(world, 'HOLD_EXPIRED', () => capture(world))
  refused(world, 'HOLD_EXPIRED', () => credit(world))
  refused(world, 'HOLD_CLOSED', () => authorise(world))
  world.requireConserved()
})

test('what was captured and not credited is credited when its time is over, and can be until then', () => {
  const world = worldAt('authorised')
  assert.equal(capture(world, price / 2n), '')
  const [payerBefore, payeeBefore] = [world.balance(payer), world.balance(payee)]
  world.commit(holdMs)
  assert.equal(statusOf(world), 'credited')
  assert.equal(world.balance(payee), payeeBefore + price / 2n)
  assert.equal(world.balance(payer), payerBefore + price / 2n)
  refused(world, 'HOLD_CLOSED', () => credit(world))
  world.requireConserved()
})

test('a service that fails after the coins were reserved is rolled back in full', () => {
  const world = worldAt('authorised')
  const before = world.balance(payer)
  refused(world, 'HOLD_NOT_PAYEE', () => fail(world, payer))
  assert.equal(fail(world), '')
  assert.equal(world.balance(payer), before + price)
  assert.equal(readHold(world.state, hold)!.reason, 'no memory left')
  for (const act of [authorise, capture, credit, fail, reverse]) refused(world, 'HOLD_CLOSED', () => act(world))
  world.requireConserved()
})

test('a quote can be taken back', () => {
  const world = worldAt('quoted')
  assert.equal(fail(world), '')
  refused(world, 'HOLD_CLOSED', () => authorise(world))
})

test('what was delivered can be given back until it is credited', () => {
  const world = worldAt('captured')
  const before = world.balance(payer)
  refused(world, 'HOLD_NOT_PAYEE', () => reverse(world, payer))
  assert.equal(reverse(world), '')
  assert.equal(world.balance(payer), before + price)
  assert.equal(statusOf(world), 'reversed')
  refused(world, 'HOLD_CLOSED', () => reverse(world))
  world.requireConserved()
})

test('each step has its place: what comes too early or twice is refused by a code of its own', () => {
  const quoted = worldAt('quoted')
  for (const act of [capture, credit, reverse]) refused(quoted, 'HOLD_NOT_AUTHORISED', () => act(quoted))
  const authorised = worldAt('authorised')
  for (const act of [credit, reverse]) refused(authorised, 'HOLD_NOT_CAPTURED', () => act(authorised))
  refused(authorised, 'HOLD_NOT_PAYEE', () => capture(authorised, price, {}, payer))
  const captured = worldAt('captured')
  refused(captured, 'HOLD_ALREADY_AUTHORISED', () => authorise(captured))
  refused(captured, 'HOLD_ALREADY_CAPTURED', () => capture(captured))
  refused(captured, 'HOLD_ALREADY_CAPTURED', () => fail(captured))
  refused(captured, 'HOLD_NOT_PARTY', () => credit(captured, operatorKey(3)))
  const credited = worldAt('credited')
  for (const act of [authorise, capture, credit, fail, reverse]) refused(credited, 'HOLD_CLOSED', () => act(credited))
  const none = new LedgerWorld()
  for (const act of [authorise, capture, credit, fail, reverse]) refused(none, 'HOLD_UNKNOWN', () => act(none))
})

test('bad fields of a quote have the codes of all amounts, coins and accounts', () => {
  const world = new LedgerWorld()
  refused(world, 'AMOUNT_NEGATIVE', () => quote(world, { amount: '-1' }))
  refused(world, 'AMOUNT_FRACTIONAL', () => quote(world, { amount: '0.1' }))
  refused(world, 'COIN_UNKNOWN', () => quote(world, { coin: 'USD' }))
  refused(world, 'ACCOUNT_INVALID', () => quote(world, { payer: 'me' }))
  refused(world, 'EVENT_PAYLOAD_INVALID', () => quote(world, { key: '' }))
  refused(world, 'EVENT_PAYLOAD_INVALID', () => quote(world, { service: { ...service, calls: -1 } }))
})

test('a payer that was frozen after it authorised still gets back what is held', () => {
  const world = worldAt('authorised')
  const before = world.balance(payer)
  world.state.set(`frozen/${accountOf(payer)}`, true)
  world.commit(holdMs)
  assert.equal(world.balance(payer), before + price)
})

test('whatever payers and payees do in whatever order, coins are conserved and escrow is what is held', () => {
  const people = [rich, operatorKey(0), operatorKey(1)]
  const step = fc.record({
    act: fc.constantFrom('hold-quote', 'hold-authorise', 'hold-capture', 'hold-credit', 'hold-fail', 'hold-reverse'),
    by: fc.nat(2),
    of: fc.nat(2),
    key: fc.constantFrom('a', 'b'),
    units: fc.bigInt({ min: 90n, max: 112n }),
    afterMs: fc.constantFrom(0, 0, 0, 1000, quoteMs, holdMs, keptMs)
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const world = new LedgerWorld()
      for (const { act, by, of, key, units, afterMs } of steps) {
        const id = holdIdOf(accountOf(people[of]!), key)
        const json = {
          'hold-quote': { amount: '100', service, key },
          'hold-authorise': { hold: id, amount: units.toString() },
          'hold-capture': { hold: id, amount: units.toString(), usage },
          'hold-credit': { hold: id },
          'hold-fail': { hold: id },
          'hold-reverse': { hold: id }
        }[act]
        world.apply(people[by]!, act, json)
        if (afterMs > 0) world.commit(afterMs)
      }
      const held = [...world.state.entries()]
        .filter(([name]) => name.startsWith('hold/'))
        .map(([name]) => world.state.get(name) as unknown as Hold)
        .filter(({ status }) => status === 'authorised' || status === 'captured')
        .reduce((sum, { authorised }) => sum + BigInt(authorised!), 0n)
      assert.equal(world.balance(systemAccounts.escrow), held)
      world.requireConserved()
      world.commit(keptMs)
      world.commit(keptMs)
      assert.equal(
        [...world.state.entries()].filter(([name]) => name.startsWith('hold/')).length,
        0,
        'nothing is kept for ever'
      )
      assert.equal(world.balance(systemAccounts.escrow), 0n)
    }),
    { numRuns: 60 }
  )
})
