import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisOf } from '../../src/dag/index.ts'
import { undoPunishment } from '../../src/ledger/slashing/index.ts'
import { slashView, slashViews } from '../../src/node/views/slashing-view.ts'
import { accountOf, genesisFile } from '../dag/small-network.ts'
import { operatorKey, validatorKey } from '../ledger/ledger-world.ts'
import { operator, slashingWorld, twice } from '../ledger/slashing/accused.ts'

test('punishments are shown the newest first, with what was burnt, until when, and the event that proves it', () => {
  const world = slashingWorld()
  world.commit(1000)
  assert.equal(world.applyPayload(operatorKey(0), 'evidence', twice(world)), '')
  assert.equal(world.applyPayload(operatorKey(0), 'evidence', twice(world, { author: 1 }, validatorKey(1))), '')
  undoPunishment(world.state, world.genesis, '2')
  const views = slashViews(world.access, { limit: 10 })
  assert.deepEqual(
    views.map(({ id, name, offence, burnt, state, repaid }) => [id, name, offence, burnt, state, repaid]),
    [
      ['2', 'v1', 'double-signing', '10000000000000', 'undone', '10000000000000'],
      ['1', 'v2', 'double-signing', '10000000000000', 'standing', '0']
    ]
  )
  const [, first] = views
  assert.equal(Date.parse(first!.banUntil!) - Date.parse(first!.time), 30 * 24 * 3_600_000)
  assert.ok(first!.evidence.kind === 'event' && first!.evidence.event.startsWith('bafy'))
  assert.deepEqual(slashView(world.access, '1'), first)
  assert.deepEqual(slashViews(world.access, { limit: 10, operator: accountOf(operator) }), [first])
  assert.deepEqual(slashViews(world.access, { limit: 1 }), [views[0]])
  assert.throws(() => slashView(world.access, '3'), { code: 'PUNISHMENT_UNKNOWN' })
})

test('a network without stake has no punishments to show', () => {
  const access = { ...slashingWorld().access, genesis: genesisOf(genesisFile()) }
  assert.throws(() => slashViews(access, { limit: 1 }), { code: 'ECONOMY_NONE' })
  assert.throws(() => slashView(access, '1'), { code: 'ECONOMY_NONE' })
})
