import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemAccounts } from '../../src/ledger/book/book.ts'
import { holdIdOf } from '../../src/ledger/index.ts'
import { type DataFolder, openDataFolder } from '../../src/node/index.ts'
import { type RunningApi, startApi } from '../api/api-fixture.ts'
import { withLedger } from '../api/ledger-double.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, type LedgerWorld, operatorKey, poor, rich } from '../ledger/ledger-world.ts'
import { type CliResult, cli } from './cli-fixture.ts'

/** The commands of coins as processes, against the real API over a real ledger. */
const base = mkdtempSync(join(tmpdir(), 'blyan-money-'))
let folder: DataFolder
let running: RunningApi
let world: LedgerWorld

before(async () => {
  folder = await openDataFolder(join(base, 'node'))
  running = await startApi({ after: () => {} }, await folder.tokens())
  world = withLedger(running.node)
  await folder.announceApi(running.url)
})
after(async () => {
  await running.api.stop()
  await folder.release()
  rmSync(base, { recursive: true, force: true })
})

const here = (...args: string[]): Promise<CliResult> => cli([...args, '--data', join(base, 'node')])
const errorOf = ({ docs }: CliResult) => docs[0]?.error as { code: string; message: string } | undefined
const to = accountOf(poor)
const service = { kind: 'inference', expert: null, calls: 1 }

test('coins are sent in whole coins, once for a key, and mistakes have their codes', async () => {
  const sent = await here('transfer', to, '12.5', '--coin', 'GEN', '--key', 'invoice-1', '--json')
  assert.deepEqual([sent.code, sent.docs[0]!.finality], [0, 'final'], sent.stderr)
  assert.equal(world.balance(poor, 'GEN'), 12_500_000_000n)
  const [again, negative] = await Promise.all([
    here('transfer', to, '12.5', '--coin', 'GEN', '--key', 'invoice-1', '--json'),
    here('transfer', to, '-5', '--json')
  ])
  assert.deepEqual([again.code, errorOf(again)?.code], [1, 'EVENT_KEY_USED'])
  assert.match(errorOf(again)!.message, /bafy/)
  assert.deepEqual([negative.code, errorOf(negative)?.code], [2, 'AMOUNT_NEGATIVE'])
  assert.equal(world.balance(poor, 'GEN'), 12_500_000_000n)
})

test('a hold is paid from quote to credit', async () => {
  const quoted = await here('hold', 'quote', '20', '--calls', '3', '--key', 'job-1', '--json')
  assert.equal(quoted.code, 0, quoted.stderr)
  const own = String(quoted.docs[0]!.hold)
  assert.equal(own, holdIdOf(accountOf(operatorKey(0)), 'job-1'))
  assert.equal(world.apply(rich, 'hold-authorise', { hold: own, amount: (20n * bly).toString() }), '')
  const captured = await here('hold', 'capture', own, '19', '--calls', '3', '--response-ms', '50', '--json')
  assert.equal(captured.code, 0, captured.stderr)
  const credited = await here('hold', 'credit', own)
  assert.equal(credited.code, 0, credited.stderr)
  const shown = await here('hold', 'show', own)
  assert.match(shown.stdout, /captured +19 BLY/)
  assert.match(shown.stdout, /3 calls in 50 ms/)
  assert.equal(world.balance(systemAccounts.escrow), 0n)
})

test('a payer has coins held, and gets them back when the service fails', async () => {
  world.apply(rich, 'hold-quote', { amount: (7n * bly).toString(), service, key: 'x' })
  const hold = holdIdOf(accountOf(rich), 'x')
  const authorised = await here('hold', 'authorise', hold, '7', '--json')
  assert.equal(authorised.code, 0, authorised.stderr)
  const [account, refused] = await Promise.all([here('account'), here('hold', 'fail', hold, '--json')])
  assert.match(account.stdout, /held +7 BLY/)
  assert.match(account.stdout, /\(this node\)/)
  assert.equal(errorOf(refused)?.code, 'HOLD_NOT_PAYEE')
  assert.equal(world.apply(rich, 'hold-fail', { hold }), '')
})

test('the list of accounts, and the supply', async () => {
  const [list, supply] = await Promise.all([here('account', 'list', '--limit', '3', '--json'), here('supply')])
  assert.equal(list.docs.length, 3)
  assert.match(supply.stdout, /circulating/)
  assert.match(supply.stdout, /allowed now/)
})
