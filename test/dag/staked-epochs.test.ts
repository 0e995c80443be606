import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex } from '../../src/codec/index.ts'
import { Executor } from '../../src/dag/core/executor.ts'
import { decodeSet, setDigest } from '../../src/dag/core/validator-set.ts'
import { currentSet } from '../../src/dag/core/validator-state.ts'
import { keyProof, operatorOf, peerProof, readPool, requireStakeMatches } from '../../src/ledger/staking/index.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import { bly, economyGenesisFile, operatorKey, rich } from '../ledger/ledger-world.ts'
import { ChangingNetwork } from './changing-network.ts'
import { accountOf, keyOf } from './small-network.ts'

function stakedNetwork(): ChangingNetwork {
  const file = economyGenesisFile({ parameters: { feeUnits: '0' } })
  return new ChangingNetwork({ ...file, consensus: { ...file.consensus, epochMs: 0 } })
}

function joinAndStake(network: ChangingNetwork, name: string, coins: bigint): void {
  const { digest } = network.genesis
  const account = accountOf(rich)
  network.knows(keyOf(`consensus ${name}`))
  const join = {
    ...keyProof(digest, account, keyOf(`consensus ${name}`)),
    ...peerProof(digest, account, keyOf(`node ${name}`)),
    name,
    origin: 'o',
    region: 'r',
    commissionBasisPoints: 0
  }
  assert.equal(network.submit(rich, 'operator-join', join), '')
  const refusal = network.submit(rich, 'stake', { operator: account, amount: (coins * bly).toString() })
  assert.equal(refusal, '')
}

test('stake makes a set: the epoch closes with a checkpoint that names the newcomer, and every node knows it alike', () => {
  const network = stakedNetwork()
  joinAndStake(network, 'fifth', 10_000n)
  const { checkpoint } = network.endEpoch()
  const set = decodeSet(checkpoint!.nextSet!)
  assert.deepEqual(
    set.members.map(member => member.name),
    ['v0', 'v1', 'v2', 'v3', 'fifth']
  )
  assert.equal(checkpoint!.checkpoint.nextSet, bytesToHex(setDigest(checkpoint!.nextSet!)))
  assert.deepEqual(currentSet(network.executor.state, network.genesis), set)
  network.order()
  assert.equal(readPool(network.executor.state, accountOf(rich))!.status, 'bonded')

  // A node that starts with what is stored goes on with the same state.
  const { state } = network.executor
  const again = new Executor({
    genesis: network.genesis,
    handlers: createHandlers(network.genesis),
    stored: { entries: [...state.entries()], parts: [], leaves: [] }
  })
  assert.equal(again.state.root(), state.root())
  assert.equal(again.epochState.epoch, 1)

  assert.equal(network.submit(operatorKey(1), 'operator-leave', {}), '')
  network.endEpoch()
  assert.deepEqual(network.names, ['v0', 'v2', 'v3', 'fifth'])
  network.order()
  assert.equal(readPool(state, accountOf(operatorKey(1)))!.status, 'unbonding')
  requireStakeMatches(state)
})

test('approvals are of networks without an economy, and stake of those with one', () => {
  const staked = stakedNetwork()
  assert.throws(() => staked.submit(rich, 'validator-join', {}), { code: 'EVENT_TYPE_UNKNOWN' })
  const approved = new ChangingNetwork()
  assert.throws(() => approved.submit(rich, 'operator-leave', {}), { code: 'EVENT_TYPE_UNKNOWN' })
  assert.equal(operatorOf(approved.executor.state, 'anybody'), undefined)
})
