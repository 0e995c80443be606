import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DataFolder, openDataFolder } from '../../src/node/index.ts'
import { operatorsView, stakeRulesView } from '../../src/node/views/staking-view.ts'
import { type RunningApi, startApi } from '../api/api-fixture.ts'
import { withLedger } from '../api/ledger-double.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, operatorKey, StakingWorld, unbondingMs } from '../ledger/staking-world.ts'
import { type CliResult, cli } from './cli-fixture.ts'

/** The commands of stake as processes, against the real API over a real ledger. */
const base = mkdtempSync(join(tmpdir(), 'blyan-stake-'))
const own = operatorKey(0)
let folder: DataFolder
let running: RunningApi
let world: StakingWorld

before(async () => {
  folder = await openDataFolder(join(base, 'node'))
  running = await startApi({ after: () => {} }, await folder.tokens())
  world = withLedger(running.node, new StakingWorld()) as StakingWorld
  const { validators } = running.node
  Object.assign(running.node, {
    validators: () => ({
      ...validators(),
      operators: operatorsView(world.access),
      stakeRules: stakeRulesView(world.access)
    })
  })
  await folder.announceApi(running.url)
})
after(async () => {
  await running.api.stop()
  await folder.release()
  rmSync(base, { recursive: true, force: true })
})

const here = (...args: string[]): Promise<CliResult> => cli([...args, '--data', join(base, 'node')])
const codeOf = ({ docs }: CliResult) => (docs[0]?.error as { code: string } | undefined)?.code

test('stake goes in and out and back in, and says what comes next', async () => {
  const staked = await here('stake', '12.5')
  assert.match(staked.stdout, /staked +12\.5 BLY with v0/)
  assert.match(staked.stdout, /yours there +100012\.5 BLY/)
  assert.match(staked.stdout, /next +it earns/)
  const other = await here('stake', '5', '--validator', 'v1', '--json')
  assert.equal(other.docs[0]!.final, true)
  assert.equal(world.bonded(own, operatorKey(1)), 5n * bly)
  const out = await here('unstake', '10')
  assert.match(out.stdout, new RegExp(`free +${new Date(world.nowMs + unbondingMs).toISOString()}`))
  assert.match((await here('unstake', 'list')).stdout, /1 +v0 +10 BLY/)
  const cancelled = await here('unstake', '--cancel')
  assert.match(cancelled.stdout, /staked again +10 BLY/)
  assert.equal(world.bonded(own, own), 100_012n * bly + bly / 2n)
  const all = await here('unstake', 'all', '--validator', accountOf(operatorKey(1)), '--json')
  assert.equal(all.code, 0, all.stdout)
  assert.equal(world.bonded(own, operatorKey(1)), 0n)
  world.check()
})

test('each mistake has its code', async () => {
  const mistakes = [
    ['UNBONDING_UNKNOWN', 'unstake', '--cancel', '9'],
    ['OPERATOR_NOT_FOUND', 'stake', '5', '--validator', 'nobody'],
    ['STAKE_BELOW_MINIMUM', 'stake', '0.5'],
    ['UNSTAKE_TOO_MUCH', 'unstake', '200000'],
    ['USAGE', 'unstake'],
    ['USAGE', 'validator', 'edit', '--commission', '101']
  ] as const
  for (const [code, ...args] of mistakes) assert.equal(codeOf(await here(...args, '--json')), code, args.join(' '))
  world.check()
})

test('validators are listed with who answers for them, and shown one by one', async () => {
  const [list, shown] = await Promise.all([here('validator', 'list'), here('validator', 'show')])
  assert.match(list.stdout, new RegExp(`v2 +${accountOf(operatorKey(2))} +100000 BLY +100000 BLY +5% +bonded`))
  assert.match(list.stdout, /least own stake +10000 BLY/)
  assert.match(shown.stdout, /in the set +yes, with weight 1/)
  const edited = await here('validator', 'edit', '--commission', '2.5', '--website', 'https://example.org', '--json')
  assert.equal(edited.code, 0, edited.stdout)
  const asked = running.node.submitted.map(one => ('payload' in one ? Buffer.from(one.payload).toString() : ''))
  const edit = { change: 'edit', name: null, origin: null, region: null, commissionBasisPoints: 250 }
  assert.ok(asked.includes(JSON.stringify({ ...edit, website: 'https://example.org' })), asked.join())
})
