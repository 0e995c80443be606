import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { circulating } from '../../src/ledger/book/begin.ts'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { emergencyMint, issuanceAt, issueUpTo, yearMs } from '../../src/ledger/book/issuance.ts'
import { bly, LedgerWorld } from './ledger-world.ts'

const endless = 10n ** 26n

function issue(world: LedgerWorld, wanted: bigint, afterMs = 0): bigint {
  world.nowMs += afterMs
  return issueUpTo(world.state, world.genesis, wanted, world.nowMs)
}

test('a tenth of the circulation a year, as the year goes', () => {
  const world = new LedgerWorld()
  // 4 operators with 1.1 million, one account with a million, three pools with 10 million.
  const circulation = 35_400_000n * bly
  assert.equal(circulating(world.state, world.genesis), circulation)
  assert.equal(issue(world, endless), 0n)
  const pool = world.balance(systemAccounts.rewardPool)
  assert.equal(issue(world, endless, yearMs / 2), circulation / 20n)
  assert.equal(world.balance(systemAccounts.rewardPool), pool + circulation / 20n)
  assert.equal(issue(world, endless), 0n)
  assert.equal(issue(world, 5n, yearMs / 4), 5n)
  assert.equal(issue(world, endless), circulation / 40n - 5n)
  world.requireConserved()
})

test('a new year begins anew, from the circulation that there is then; what was not issued is gone', () => {
  const world = new LedgerWorld()
  const first = circulating(world.state, world.genesis)
  const issued = issue(world, endless, yearMs - 1)
  assert.ok(issued < first / 10n && issued > first / 10n - bly)
  assert.equal(issue(world, endless, 1), 0n)
  const issuance = issuanceAt(world.state, world.genesis, world.nowMs)
  assert.equal(issuance.year, 2)
  assert.equal(issuance.circulatingUnits, first + issued)
  assert.equal(issuance.yearUnits, (first + issued) / 10n)
  assert.equal(issue(world, endless, yearMs / 2), issuance.yearUnits / 2n)
  world.requireConserved()
})

test('an emergency issues ahead of its time, and never more than the whole year', () => {
  const world = new LedgerWorld()
  const year = circulating(world.state, world.genesis) / 10n
  const treasury = world.balance(systemAccounts.treasury)
  assert.equal(emergencyMint(world.state, world.genesis, year / 2n, world.nowMs), year / 2n)
  assert.equal(world.balance(systemAccounts.treasury), treasury + year / 2n)
  assert.equal(issue(world, endless, yearMs / 4), 0n, 'rewards wait until the year has caught up')
  assert.equal(emergencyMint(world.state, world.genesis, endless, world.nowMs), year - year / 2n)
  assert.equal(emergencyMint(world.state, world.genesis, 1n, world.nowMs), 0n)
  assert.equal(issue(world, endless, yearMs / 2), 0n)
  world.requireConserved()
})

test('no year issues more than its tenth, however it is asked', () => {
  const step = fc.record({
    wanted: fc.bigInt({ min: 0n, max: 5_000_000n * bly }),
    afterMs: fc.nat(yearMs / 3),
    isEmergency: fc.boolean()
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), steps => {
      const world = new LedgerWorld()
      const years = new Map<number, { issued: bigint; most: bigint }>()
      for (const { wanted, afterMs, isEmergency } of steps) {
        world.nowMs += afterMs
        const { year, yearUnits } = issuanceAt(world.state, world.genesis, world.nowMs)
        const known = years.get(year) ?? { issued: 0n, most: yearUnits }
        const before = world.balance(systemAccounts.unissued)
        const mint = isEmergency ? emergencyMint : issueUpTo
        const issued = mint(world.state, world.genesis, wanted, world.nowMs)
        assert.equal(before - world.balance(systemAccounts.unissued), issued)
        years.set(year, { ...known, issued: known.issued + issued })
      }
      for (const { issued, most } of years.values()) assert.ok(issued <= most)
      world.requireConserved()
    }),
    { numRuns: 60 }
  )
})
