import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CID, SigningKey } from '../../src/codec/index.ts'
import { accountOf, alice, bob, genesisFile, keyOf, SmallNetwork, tensorCid } from './small-network.ts'

/** Has stake like Alice. */
const dora = keyOf('dora')
const architecture = { family: 'blyan-moe/2', layers: 1, router: { normalise: true }, clip: null, dense: [0] }

function network(): SmallNetwork {
  const file = genesisFile()
  return new SmallNetwork({
    ...file,
    accounts: [...file.accounts, { account: accountOf(dora), balance: '0', stake: '10' }]
  })
}

function refusalOf(small: SmallNetwork, key: SigningKey, type: string, payload: unknown): string {
  return small.order(small.event(key, type, payload)).events[0]!.refusal
}

const registration = (name: string) => ({ name, architecture, tokenizer: tensorCid('t').toString(), parts: 5 })
const part = (name: string, tensor: string, more: object = {}) => ({
  name,
  layer: 0,
  tensor: tensorCid(tensor).toString(),
  shape: [8],
  ...more
})

function blockOf(small: SmallNetwork, name: string): CID {
  return (small.executor.state.get(`model/${name}`) as unknown as { block: CID }).block
}

test('a registered model stands in the state with the block on chain A that says so', () => {
  const small = network()
  const { blocks } = small.order(small.event(alice, 'model-register', registration('tiny')))
  assert.equal(blocks[0]!.header.chain_id, 'A')
  const state = small.executor.state.get('model/tiny') as Record<string, unknown>
  assert.equal(state.author, accountOf(alice))
  assert.deepEqual(state.architecture, architecture)
  assert.equal(String(state.tokenizer), tensorCid('t').toString())
  assert.equal(String(state.block), blocks[0]!.cid.toString())
  assert.equal(state.parts, 5)
})

test('only who has stake registers, under a name that is free and not of the genesis model', () => {
  const small = network()
  assert.equal(refusalOf(small, bob, 'model-register', registration('tiny')), 'EVENT_NOT_AUTHORISED')
  for (const name of ['genesis', 'embedding', 'output', 'layer0', 'layer17'])
    assert.equal(refusalOf(small, alice, 'model-register', registration(name)), 'MODEL_NAME_RESERVED')
  assert.equal(refusalOf(small, alice, 'model-register', registration('tiny')), '')
  assert.equal(refusalOf(small, dora, 'model-register', registration('tiny')), 'MODEL_NAME_TAKEN')
  assert.equal(small.executor.state.get('model/layer0'), undefined)
})

test('payloads that are no registration are refused where they are made', () => {
  const small = network()
  const wrong = [
    { ...registration('tiny'), more: 1 },
    registration('Tiny'),
    registration('a.b'),
    { ...registration('tiny'), parts: 0 },
    { ...registration('tiny'), architecture: [] },
    { ...registration('tiny'), tokenizer: 'no cid' }
  ]
  for (const payload of wrong)
    assert.throws(() => small.event(alice, 'model-register', payload), { code: 'EVENT_PAYLOAD_INVALID' })
  const large = { ...registration('tiny'), architecture: { text: 'x'.repeat(5000) } }
  assert.equal(refusalOf(network(), alice, 'model-register', large), 'EVENT_PAYLOAD_INVALID')
})

test('the first version of a part is its author`s, later ones anybody`s with stake', () => {
  const small = network()
  small.order(small.event(alice, 'model-register', registration('tiny')))
  const dependsOn = [blockOf(small, 'tiny').toString()]
  assert.equal(refusalOf(small, dora, 'expert', part('tiny.layer0.expert0', 'd0', { dependsOn })), 'MODEL_PART_FOREIGN')
  const { blocks, events } = small.order(small.event(alice, 'expert', part('tiny.layer0.expert0', 'a0', { dependsOn })))
  assert.equal(events[0]!.refusal, '')
  assert.ok(blocks[0]!.header.depends_on.some(link => link.equals(blockOf(small, 'tiny'))))
  assert.equal(refusalOf(small, dora, 'expert', part('tiny.layer0.expert0', 'd1', { dependsOn })), '')
  assert.equal(small.executor.parts.newest('tiny.layer0.expert0')!.tensor, tensorCid('d1').toString())
})

test('parts that somebody put there before the model was registered are not in its way', () => {
  const small = network()
  assert.equal(refusalOf(small, dora, 'expert', part('tiny.layer0.expert0', 'd0', { shape: [3] })), '')
  small.order(small.event(alice, 'model-register', registration('tiny')))
  assert.equal(
    refusalOf(small, dora, 'expert', part('tiny.layer0.expert0', 'd1', { shape: [3] })),
    'MODEL_PART_FOREIGN'
  )
  assert.equal(refusalOf(small, alice, 'expert', part('tiny.layer0.expert0', 'a0')), '')
  assert.equal(refusalOf(small, dora, 'expert', part('tiny.layer0.expert0', 'd2', { shape: [3] })), 'PART_SHAPE_WRONG')
  assert.equal(small.executor.parts.newest('tiny.layer0.expert0')!.tensor, tensorCid('a0').toString())
})

test('a part depends on the block of its own model, not on any other of chain A', () => {
  const small = network()
  small.order(small.event(alice, 'model-register', registration('tiny')))
  small.order(small.event(alice, 'model-register', registration('other')))
  const dependsOn = [blockOf(small, 'other').toString()]
  assert.equal(
    refusalOf(small, alice, 'expert', part('tiny.layer0.expert0', 'a0', { dependsOn })),
    'CHAIN_DEPENDENCY_UNKNOWN'
  )
})
