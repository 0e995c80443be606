import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bytesToHex } from '../../src/codec/index.ts'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { emergencyMint, issueUpTo } from '../../src/ledger/book/issuance.ts'
import { holdIdOf } from '../../src/ledger/holds/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { LedgerWorld, poor, rich } from './ledger-world.ts'

/** Written by test/vectors/money.py, which knows nothing of src/. */
const vectors = JSON.parse(readFileSync(new URL('../vectors/money.json', import.meta.url), 'utf8')) as {
  payloads: { type: string; json: unknown; payload: string }[]
  holdIds: { payee: string; key: string; id: string }[]
  fees: { fee: string; burntPpm: string; burnt: string; pool: string }[]
  issuance: { atMs: number; wanted: string; emergency: boolean; issued: string }[]
}

test('payloads of coins are the bytes that another implementation makes', () => {
  const { handlers } = new LedgerWorld()
  for (const { type, json, payload } of vectors.payloads)
    assert.equal(bytesToHex(handlers.get(type).encodePayload(json)), payload, type)
})

test('ids of holds are those that another implementation makes', () => {
  for (const { payee, key, id } of vectors.holdIds) assert.equal(holdIdOf(payee, key), id)
})

test('fees are burnt and kept in the parts that another implementation finds', () => {
  for (const { fee, burntPpm, burnt, pool } of vectors.fees) {
    const world = new LedgerWorld({ parameters: { feeUnits: fee, feeBurntPpm: burntPpm } })
    const before = [world.balance(systemAccounts.burnt), world.balance(systemAccounts.rewardPool)] as const
    assert.equal(world.apply(rich, 'transfer', { to: accountOf(poor), amount: '1' }), '')
    assert.equal(world.balance(systemAccounts.burnt) - before[0], BigInt(burnt))
    assert.equal(world.balance(systemAccounts.rewardPool) - before[1], BigInt(pool))
  }
})

test('coins are issued as another implementation issues them', () => {
  const { state, genesis } = new LedgerWorld()
  for (const { atMs, wanted, emergency, issued } of vectors.issuance) {
    const mint = emergency ? emergencyMint : issueUpTo
    assert.equal(mint(state, genesis, BigInt(wanted), genesis.timeMs + atMs), BigInt(issued), String(atMs))
  }
})
