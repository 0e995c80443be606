import assert from 'node:assert/strict'
import { chmod, open } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { generateSigningKey } from '../../src/codec/index.ts'
import { genesisOf } from '../../src/dag/index.ts'
import { type ExpertWeights, judge, readExpertEvidence, statementsOf } from '../../src/guardian/index.ts'
import { peerIdOfPublicKey } from '../../src/net/index.ts'
import { createIntegrityService } from '../../src/node/experts/integrity-service.ts'
import { type AuditedCall, createCommitter } from '../../src/routing/index.ts'
import { genesisFile } from '../dag/small-network.ts'
import { computeRow, drawWeights, finish, gaussianRow, inInt4, random } from '../guardian/answers/expert-world.ts'
import { architectureOf, expertPart, packExpert } from '../routing/expert-sessions.ts'
import { openStore } from '../tiles/support.ts'

const width = 32
const architecture = architectureOf(width, 24, 'int8')
const logger = { debug: () => {}, info: () => {}, warn: () => {} } as never
const genesis = genesisOf(genesisFile())
const machine = { seed: 1, lanes: 1, isFused: false }

/** A gateway with the weights of one expert on its disk, and a holder that answers it. */
async function world(t: TestContext) {
  const { tensors } = await openStore(t)
  const weights: ExpertWeights = drawWeights(width, 24, 'int8', random(1))
  const part = expertPart(architecture)
  const data = packExpert(part, weights)
  const { cid, path } = await tensors.putTensor({ name: part.name, dtype: 'int8', shape: part.shape, data })
  const submitted: Uint8Array[] = []
  const [nodeKey, holderKey] = [generateSigningKey(), generateSigningKey()]
  const gateway = peerIdOfPublicKey(nodeKey.publicKey)
  const holder = peerIdOfPublicKey(holderKey.publicKey)
  const integrity = createIntegrityService({
    genesis,
    nodeKey,
    logger,
    network: { peerId: gateway, serve: () => {}, request: () => Promise.reject(new Error('nobody is there')) },
    events: {
      submit: async event => {
        if ('payload' in event) submitted.push(event.payload)
        return {} as never
      }
    }
  })
  t.after(() => integrity.stop())
  integrity.open({
    tensors,
    catalogue: { findTensor: () => ({ entry: { architecture }, part: { part: part.name, tensor: cid } }) as never },
    arithmetic: () => 'integer',
    // No engine here: the weights on the disk have the last word.
    recompute: async () => undefined,
    roomBytes: () => 0,
    onFetched: () => {}
  })
  const committer = createCommitter({ key: holderKey, network: genesis.digest, gateway, arithmetic: () => 'integer' })
  let calls = 0
  const answer = (from: ExpertWeights): AuditedCall => {
    const input = gaussianRow(width, random(100 + calls))
    const output = computeRow(from, input, from === weights ? 'integer' : 'float', machine)
    const loads = [{ weights: cid, width, input, output }]
    const request = `call-${++calls}`
    return { holder, request, model: 'm', layer: 0, loads, commitment: committer.commit({ request, layer: 0, loads }) }
  }
  return { integrity, tensors, weights, submitted, holder, answer, cid, path }
}

test('two rows that cannot be right are brought before the chain, as evidence that the weights prove', async t => {
  const { integrity, weights, submitted, holder, answer } = await world(t)
  assert.equal(await integrity.auditor.check(answer(weights)), 'right')
  const cheap = inInt4(weights)
  assert.equal(await integrity.auditor.check(answer(cheap)), 'wrong')
  assert.equal(integrity.reputation.standing(holder, performance.now()), 'quarantined')
  assert.equal(submitted.length, 0)
  assert.equal(await integrity.auditor.check(answer(cheap)), 'wrong')
  await integrity.stop()
  assert.equal(submitted.length, 1)
  const statements = statementsOf(readExpertEvidence(submitted[0]!), genesis.digest)
  assert.equal(statements.length, 2)
  for (const statement of statements) {
    assert.equal((await integrity.lastWord.judge(statement))?.isProven, true)
    assert.equal(finish(judge(statement, weights)).isProven, true)
  }
})

test('a disk that is damaged accuses nobody', async t => {
  const { integrity, weights, submitted, holder, answer, path } = await world(t)
  await chmod(path, 0o644)
  const file = await open(path, 'r+')
  await file.write(new Uint8Array(512).fill(85), 0, 512, 256 * 1024)
  await file.close()
  for (let call = 0; call < 3; call++) assert.equal(await integrity.auditor.check(answer(weights)), 'inconclusive')
  assert.equal(integrity.reputation.standing(holder, performance.now()), 'good')
  await integrity.stop()
  assert.equal(submitted.length, 0)
})
