import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { generateSigningKey, type SigningKey } from '../../src/codec/index.ts'
import { BlyanError } from '../../src/errors/index.ts'
import { createReputation } from '../../src/guardian/index.ts'
import { peerIdOfPublicKey, publicKeyOfPeerId } from '../../src/net/index.ts'
import { createSpotChecks, type SpotChecksNeeds } from '../../src/routing/index.ts'
import { network } from '../guardian/answers/expert-world.ts'
import { noiseBytes, openStore } from '../tiles/support.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {} }
type Handler = (peerId: string, request: Uint8Array) => Promise<Uint8Array>

/** A gateway and a holder whose frames go from one to the other in this process. */
async function pair(
  t: TestContext,
  changes: { signer?: SigningKey; tamper?: (answer: Uint8Array) => Uint8Array } = {}
) {
  const { tensors } = await openStore(t)
  const data = noiseBytes(300_000)
  const { cid } = await tensors.putTensor({ name: 'weights', dtype: 'int8', shape: [data.length], data })
  const key = generateSigningKey()
  const holder = peerIdOfPublicKey(key.publicKey)
  const reputation = createReputation()
  let answer: Handler = async () => new Uint8Array()
  const shared = {
    networkDigest: network,
    keyOfPeer: publicKeyOfPeerId,
    reputation,
    nowMs: () => 0,
    logger: silent,
    prove: async (...given: Parameters<SpotChecksNeeds['prove']>) => tensors.prove(...given)
  }
  const silentNetwork = { serve: () => {}, request: async () => new Uint8Array() }
  createSpotChecks({
    ...shared,
    key: changes.signer ?? key,
    network: {
      ...silentNetwork,
      serve: (_, handler) => {
        answer = handler
      }
    }
  })
  const gateway = createSpotChecks({
    ...shared,
    key: generateSigningKey(),
    network: {
      ...silentNetwork,
      request: async (peerId, protocol, question) => {
        const given = await answer('gateway', question).catch(cause => {
          throw new BlyanError('PEER_REQUEST_FAILED', { peerId, protocol }, { cause })
        })
        return changes.tamper?.(given) ?? given
      }
    }
  })
  return { gateway, holder, reputation, tensors, cid }
}

test('a holder shows leaves of its weights, signed for this question', async t => {
  const { gateway, holder, reputation, cid } = await pair(t)
  assert.equal(await gateway.ask(holder, cid), true)
  assert.equal(reputation.standing(holder, 0), 'good')
})

test('a proof that somebody else signed, or that was changed on its way, is none', async t => {
  for (const changes of [
    { signer: generateSigningKey() },
    { tamper: (answer: Uint8Array) => answer.map((byte, place) => (place === 1000 ? byte ^ 1 : byte)) }
  ]) {
    const { gateway, holder, reputation, cid } = await pair(t, changes)
    assert.equal(await gateway.ask(holder, cid), false)
    assert.equal(reputation.standing(holder, 0), 'quarantined')
  }
})

test('who shows nothing three times in a row has nothing to show', async t => {
  const { gateway, holder, reputation, tensors, cid } = await pair(t)
  await tensors.remove(cid)
  assert.equal(await gateway.ask(holder, cid), undefined)
  assert.equal(await gateway.ask(holder, cid), undefined)
  assert.equal(reputation.standing(holder, 0), 'good')
  assert.equal(await gateway.ask(holder, cid), false)
  assert.equal(reputation.standing(holder, 0), 'quarantined')
})
