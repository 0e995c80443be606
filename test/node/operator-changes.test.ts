import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { dataFolderPaths } from '../../src/node/data-folder.ts'
import { type OperatorNeeds, operatorEvent } from '../../src/node/operator-changes.ts'
import { OwnValidatorKeys } from '../../src/node/validator-keys.ts'
import { accountOf } from '../dag/small-network.ts'
import { rich } from '../ledger/ledger-world.ts'
import { keyOf, StakingWorld } from '../ledger/staking-world.ts'

function needsOf(t: TestContext, world: StakingWorld, keys: readonly string[]): OperatorNeeds {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-operator-'))
  const own = new OwnValidatorKeys(
    dataFolderPaths(folder),
    keys.map((name, place) => ({ name: place === 0 ? 'validator' : `validator-${place + 1}`, key: keyOf(name) }))
  )
  t.after(() => {
    own.close()
    rmSync(folder, { recursive: true })
  })
  return {
    genesis: world.genesis,
    chains: { state: world.state },
    keys: own,
    openKey: async name => keyOf(name),
    account: accountOf(rich),
    nodeKey: keyOf('node of rich'),
    name: 'mine',
    origin: 'o',
    region: 'r'
  }
}

test('what a node asks for as an operator is what the ledger takes', async t => {
  const world = new StakingWorld()
  const needs = needsOf(t, world, ['first key'])
  const submit = async (change: Parameters<typeof operatorEvent>[1], by = needs) => {
    const { type, json } = await operatorEvent(by, change)
    return world.apply(rich, type, json)
  }
  await assert.rejects(operatorEvent(needsOf(t, world, []), { change: 'join' }), { code: 'VALIDATOR_NO_KEY' })
  assert.equal(await submit({ change: 'join', commissionBasisPoints: 700 }), '')
  world.stake(rich, rich, 10_000n)
  world.nextEpoch()
  assert.equal(world.pool(rich)!.key, accountOf(keyOf('first key')))
  const edit = { name: null, origin: null, region: null, website: 'https://example.org' }
  assert.equal(await submit({ change: 'edit', ...edit, commissionBasisPoints: null }), '')
  assert.equal(world.pool(rich)!.website, 'https://example.org')
  await assert.rejects(submit({ change: 'rotate' }), { code: 'VALIDATOR_NO_KEY' })
  assert.equal(await submit({ change: 'rotate', key: 'validator-2' }), '')
  world.nextEpoch()
  assert.equal(accountOf(keyOf('validator-2')), world.pool(rich)!.key)
  assert.equal(await submit({ change: 'unjail' }), 'OPERATOR_NOT_JAILED')
  assert.equal(await submit({ change: 'rotate' }, { ...needs, nodeKey: keyOf('another node') }), '')
  assert.notEqual(world.pool(rich)!.peerId, world.members.at(-1)!.peerId)
  assert.equal(await submit({ change: 'leave' }), '')
  await assert.rejects(submit({ change: 'approve', validator: accountOf(rich) }), { code: 'VALIDATORS_BY_STAKE' })
})
