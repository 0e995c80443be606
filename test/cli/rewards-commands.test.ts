import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { noteUsage } from '../../src/ledger/rewards/usage.ts'
import { type DataFolder, openDataFolder, type RunningPeriodView, type SettlementView } from '../../src/node/index.ts'
import { errorCode, type RunningApi, startApi } from '../api/api-fixture.ts'
import { withLedger } from '../api/ledger-double.ts'
import { accountOf, tensorCid } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, rich } from '../ledger/ledger-world.ts'
import { type CliResult, cli } from './cli-fixture.ts'

/** `rewards` as a process, against the real API over a real ledger of which two periods are settled. */
const base = mkdtempSync(join(tmpdir(), 'blyan-rewards-'))
const expert = 'layer0.expert0'
let folder: DataFolder
let running: RunningApi
let world: LedgerWorld

before(async () => {
  folder = await openDataFolder(join(base, 'node'))
  running = await startApi({ after: () => {} }, await folder.tokens())
  const parameters = { periodMs: '60000', rewardDayUnits: (14_400_000n * bly).toString() }
  world = withLedger(running.node, new LedgerWorld({ parameters }))
  await folder.announceApi(running.url)
  world.state.set(`part/${expert}`, { block: tensorCid('e'), shape: [4, 4], type: 'expert' })
})
after(async () => {
  await running.api.stop()
  await folder.release()
  rmSync(base, { recursive: true, force: true })
})

const here = (...args: string[]): Promise<CliResult> => cli([...args, '--data', join(base, 'node')])
const errorOf = ({ docs }: CliResult) => docs[0]?.error as { code: string; message: string } | undefined
const holder = accountOf(rich)

test('before the first settlement the running period is shown, and its estimate', async () => {
  for (let second = 1; second <= 20; second++) world.commit(1000)
  const [human, json, old] = await Promise.all([
    here('rewards'),
    here('rewards', 'now', '--json'),
    here('rewards', '--period', '1', '--json')
  ])
  assert.match(human.stderr, /no period is settled yet/)
  assert.match(human.stdout, /period 1 runs since/)
  assert.match(human.stdout, /until now +.*= 2640 BLY/)
  const now = json.docs[0] as unknown as RunningPeriodView
  assert.deepEqual([now.period, now.rounds, now.validators.length], [1, 20, 4])
  assert.deepEqual([old.code, errorOf(old)?.code], [3, 'PERIOD_UNKNOWN'])
})

test('each factor of a settled reward is printed with its origin, and all of it can be computed again', async () => {
  const served = { expert, holder, calls: 100, responseMsTotal: 5000, paidUnits: bly, nowMs: world.nowMs }
  assert.equal(noteUsage(world.state, world.genesis, served), true)
  const scored = await here('rewards', 'score', expert, holder, '0.75', '--json')
  assert.equal(scored.code, 0, scored.stderr)
  assert.equal(world.apply(operatorKey(1), 'expert-score', { expert, holder, scorePpm: 500_000 }), '')
  for (let second = 21; second <= 60; second++) world.commit(1000, second > 40 ? [0, 1, 2] : [0, 1, 2, 3])
  for (let second = 1; second <= 60; second++) world.commit(1000, [0, 1, 2])
  const [first, other, table, experts, all] = await Promise.all([
    here('rewards', '--period', '1'),
    here('rewards', '--period', '1', '--validator', accountOf(operatorKey(3))),
    here('rewards', '--last', '5'),
    here('rewards', 'experts', '--period', '1'),
    here('rewards', '--last', '5', '--json')
  ])
  for (const part of [/base +1000 BLY/, /participation +x 1 /, /uptime +x 2 /, /speed +x 1\.1/, /correctness +x 1\.2/])
    assert.match(first.stdout, part)
  assert.match(first.stdout, /reward +.*= 2640 BLY/)
  assert.match(other.stdout, /participation +x 0\.666666666 +a committed vertex in 40 of 60 rounds/)
  assert.match(table.stdout, /participation/)
  assert.equal(table.stdout.trim().split('\n').length, 3)
  // The lower of two scores of one stake: 10 x 1 x 1.95 x 1.5.
  assert.match(experts.stdout, /29\.25 BLY/)
  const [newest, oldest] = all.docs as unknown as SettlementView[]
  assert.deepEqual([newest!.period, oldest!.period], [2, 1])

  const file = join(base, 'rewards.json')
  writeFileSync(file, all.stdout)
  const checked = await here('rewards', 'check', file)
  assert.equal(checked.code, 0, checked.stderr)
  assert.match(checked.stdout, /equal: 9 rewards of 2 periods/)

  const validators = oldest!.validators.map((row, place) => ({
    ...row,
    committed: row.committed + (place === 3 ? 1 : 0)
  }))
  writeFileSync(file, JSON.stringify({ ...oldest!, validators }))
  const differs = await here('rewards', 'check', file, '--json')
  assert.deepEqual([differs.code, errorOf(differs)?.code], [1, 'REWARDS_DIFFER'])
  assert.match(errorOf(differs)!.message, /^1 of/)
  writeFileSync(file, '{"period":1}')
  assert.equal(errorOf(await here('rewards', 'check', file, '--json'))?.code, 'REWARDS_FILE_INVALID')
})

test('what was earned is claimed, and a score has its codes', async () => {
  const balance = world.balance(operatorKey(0))
  const claimed = await here('rewards', 'claim')
  assert.equal(claimed.code, 0, claimed.stderr)
  const fee = 1_000_000n
  assert.ok(world.balance(operatorKey(0)) + fee > balance + 2600n * 2n * bly)
  assert.match(claimed.stdout, /claimed +\d+/)
  const [twice, range, unknown] = await Promise.all([
    here('rewards', 'claim', '--json'),
    here('rewards', 'score', expert, holder, '1.5', '--json'),
    here('rewards', 'score', 'no.such', holder, '1', '--json')
  ])
  assert.equal(twice.code, 1)
  assert.deepEqual([range.code, errorOf(range)?.code], [2, 'SCORE_OUT_OF_RANGE'])
  assert.equal(errorOf(unknown)?.code, 'SCORE_EXPERT_UNKNOWN')
  world.requireConserved()
})

test('the routes say what they cannot answer', async () => {
  const { call } = running
  assert.equal((await call('GET', '/v0/rewards?period=99')).status, 404)
  assert.equal(await errorCode(await call('GET', '/v0/rewards?period=99')), 'PERIOD_UNKNOWN')
  assert.equal((await call('GET', '/v0/rewards?last=65')).status, 400)
})
