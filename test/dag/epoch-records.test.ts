import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { bytesToHex } from '../../src/codec/index.ts'
import type { EpochStart } from '../../src/consensus/index.ts'
import { checkpointDigest } from '../../src/dag/core/checkpoint.ts'
import { verifyProof } from '../../src/dag/core/proof.ts'
import { followSets } from '../../src/dag/core/set-chain.ts'
import { verifyChains } from '../../src/dag/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { rotationPayload } from '../../src/ledger/index.ts'
import { tableKey } from '../../src/storage/index.ts'
import { changingGenesis, validatorKey } from './changing-network.ts'
import { alice, keyOf } from './small-network.ts'
import { StoredNetwork } from './stored-network.ts'

async function opened(t: TestContext): Promise<StoredNetwork> {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-epochs-'))
  const stored = await StoredNetwork.open(folder, { file: changingGenesis() })
  t.after(async () => {
    await stored.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return stored
}

/** Empty commits until the epoch has been executed to its end; the last checkpoint is not certified yet. */
async function endEpoch(stored: StoredNetwork): Promise<void> {
  for (;;) {
    const commit = stored.network.commit()
    const isLast = commit.commit.index === stored.chains.epochClosesAt
    await stored.take(commit, !isLast)
    if (isLast) return
  }
}

async function certifyLast(stored: StoredNetwork): Promise<void> {
  const last = stored.chains.lastCheckpoint!
  const { bytes } = (await stored.chains.checkpoint(last.sequence))!
  await stored.certify(last, checkpointDigest(bytes))
  stored.network.vertexEpoch = stored.chains.epoch.committee.epoch
}

function rotation(stored: StoredNetwork) {
  const { network } = stored
  const proof = rotationPayload({
    genesisDigest: network.genesis.digest,
    oldKey: validatorKey(3).publicKey,
    newKey: keyOf('v3 anew'),
    peerId: null
  })
  return network.event(validatorKey(3), 'validator-rotate', proof)
}

test('the next epoch begins when the checkpoint before it is certified, also when the node stops in between', async t => {
  const stored = await opened(t)
  const { genesis } = stored.network
  assert.deepEqual(stored.chains.epoch, {
    committee: genesis.committee,
    digest: genesis.digest,
    timestampMs: genesis.timeMs
  })
  await stored.order(rotation(stored))
  const closesAt = stored.chains.epochClosesAt!
  await endEpoch(stored)
  const boundary = stored.chains.lastCheckpoint!
  assert.deepEqual([boundary.commitIndex, boundary.epoch], [closesAt, 0])
  for (const isReopened of [false, true]) {
    if (isReopened) {
      await stored.close()
      await stored.reopen()
    }
    assert.deepEqual([stored.chains.epoch.committee.epoch, stored.chains.epochClosesAt], [0, closesAt])
    assert.equal(await stored.chains.setLinks(1), undefined)
  }
  await certifyLast(stored)
  for (const isReopened of [false, true]) {
    if (isReopened) {
      await stored.close()
      await stored.reopen()
    }
    const { committee, digest, timestampMs }: EpochStart = stored.chains.epoch
    assert.deepEqual([committee.epoch, committee.baseRound, stored.chains.epochClosesAt], [1, closesAt, undefined])
    assert.deepEqual(committee.validators[3]!.publicKey, keyOf('v3 anew').publicKey)
    const { bytes } = (await stored.chains.checkpoint(boundary.sequence))!
    assert.deepEqual([bytesToHex(digest), timestampMs], [checkpointDigest(bytes), boundary.timestampMs])
    assert.deepEqual(stored.chains.committeeOf(0), genesis.committee)
    assert.deepEqual(stored.chains.committeeOf(1), committee)
    for (const epoch of [2, -1, 0.5]) assert.equal(stored.chains.committeeOf(epoch), undefined)
    assert.deepEqual(followSets((await stored.chains.setLinks(1))!, genesis), committee)
  }
})

test('events of every epoch are proved against genesis, and all of it verifies from disk', async t => {
  const stored = await opened(t)
  const { network } = stored
  const ids: string[] = []
  const note = async (text: string) => {
    const event = network.event(alice, 'note', text)
    ids.push(event.digest)
    await stored.order(event)
  }
  await note('in epoch 0')
  await stored.order(rotation(stored))
  await endEpoch(stored)
  await certifyLast(stored)
  await note('in epoch 1')
  await stored.order(network.event(keyOf('v3 anew'), 'validator-leave', {}))
  await endEpoch(stored)
  await certifyLast(stored)
  await note('in epoch 2')
  await assert.rejects(stored.chains.proof(ids[2]!), error => isBlyanError(error, 'PROOF_NOT_YET'))
  for (let count = 0; count < 4; count++) await stored.order()
  for (const [epoch, id] of ids.entries()) {
    const verdict = verifyProof(await stored.chains.proof(id), network.genesis)
    assert.deepEqual([verdict.valid, verdict.reason], [true, null], `epoch ${epoch}`)
  }
  const { database, chains, store: vertices } = stored
  const verify = () => verifyChains({ genesis: network.genesis, handlers: network.handlers, vertices, chains })
  assert.deepEqual([(await verify()).valid, (await verify()).reason], [true, null])
  const boundary = (await chains.setLinks(2))!.length
  assert.equal(boundary, 2)
  const { sequence } = await sequenceOfFirstBoundary(stored)
  await database.write([{ key: tableKey('q', sequence), value: undefined }], { durable: false })
  assert.match((await verify()).reason!, /ended an epoch without a certificate/)
  await assert.rejects(chains.proof(ids[1]!), error => isBlyanError(error, 'PROOF_NOT_YET'))
})

async function sequenceOfFirstBoundary({ chains }: StoredNetwork): Promise<{ sequence: number }> {
  for (let sequence = 1; ; sequence++) {
    const found = await chains.checkpoint(sequence)
    if (found?.checkpoint.nextSet !== undefined) return { sequence }
  }
}

test('state entries are read by the beginning of their keys', async t => {
  const stored = await opened(t)
  await stored.order(rotation(stored))
  await endEpoch(stored)
  const keys: string[] = []
  for await (const [key] of stored.chains.stateEntries('validators/set/1/', 3)) keys.push(key)
  assert.deepEqual(keys, ['validators/set/1/0', 'validators/set/1/1', 'validators/set/1/2'])
  for await (const [key] of stored.chains.stateEntries('validators/sets', 9)) assert.fail(key)
})
