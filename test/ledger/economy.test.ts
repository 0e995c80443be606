import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { State } from '../../src/dag/core/state.ts'
import { genesisOf } from '../../src/dag/index.ts'
import { agendaLength, schedule, takeDue } from '../../src/ledger/book/agenda.ts'
import { balanceOf, move, post, systemAccounts } from '../../src/ledger/book/book.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import { bly, economyGenesisFile, LedgerWorld, operatorKey, rich } from './ledger-world.ts'

test('every coin of genesis is somewhere, and nowhere twice', () => {
  const world = new LedgerWorld()
  assert.equal(world.balance(operatorKey(0)), 1_000_000n * bly)
  assert.equal(world.balance(systemAccounts.bonded), 400_000n * bly)
  assert.equal(world.balance(rich, 'GEN'), 100n * bly)
  world.requireConserved()
})

test('a coin that appears or vanishes stops the node, by what changed and in full', () => {
  const world = new LedgerWorld()
  const before = world.state.remember()
  world.state.set(`balance/${systemAccounts.treasury}/BLY`, (world.balance(systemAccounts.treasury) + 1n).toString())
  assert.throws(() => world.handlers.economy!.requireConserved(world.state, before), { code: 'LEDGER_NOT_CONSERVED' })
  assert.throws(() => world.requireConserved(), { code: 'LEDGER_NOT_CONSERVED' })
})

test('an entry that does not add up is refused before anything is booked', () => {
  const state = new State()
  assert.throws(() => post(state, [{ account: 'a', coin: 'BLY', change: 1n }]), /does not add up/)
  assert.throws(() => move(state, 'a', 'b', 'BLY', 1n), { code: 'BALANCE_TOO_LOW' })
  assert.throws(() => move(state, 'a', 'b', 'BLY', -1n), /negative/)
  assert.equal(balanceOf(state, 'b', 'BLY'), 0n)
  assert.equal(state.size, 0)
})

test('genesis with a parameter nobody knows, or out of its range, makes no network', () => {
  const withParameters = (parameters: Record<string, string>) => () =>
    createHandlers(genesisOf(economyGenesisFile({ parameters })))
  assert.throws(withParameters({ nonsense: '1' }), { code: 'PARAMETER_UNKNOWN' })
  assert.throws(withParameters({ periodMs: '1' }), { code: 'PARAMETER_OUT_OF_RANGE' })
})

test('genesis that gives out more than there is makes no network', () => {
  const file = economyGenesisFile()
  const supply = { ...file.economy!.supply, GEN: '1' }
  assert.throws(() => genesisOf({ ...file, economy: { ...file.economy!, supply } }), { code: 'GENESIS_INVALID' })
})

test('the agenda gives everything once, in the order of time and then of entry', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), fc.nat(20), (times, nowMs) => {
      const state = new State()
      for (const [place, dueMs] of times.entries()) schedule(state, dueMs, 'kind', String(place))
      const taken: number[] = []
      for (let item = takeDue(state, nowMs); item !== undefined; item = takeDue(state, nowMs))
        taken.push(Number(item.id))
      const expected = times
        .map((dueMs, place) => ({ dueMs, place }))
        .filter(({ dueMs }) => dueMs <= nowMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.place - b.place)
        .map(({ place }) => place)
      assert.deepEqual(taken, expected)
      assert.equal(agendaLength(state), times.length - taken.length)
    })
  )
})
