import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex, cidOfObject, digestOfCid, rawCid, sha256 } from '../../src/codec/index.ts'
import { decodeBlock, makeBlock } from '../../src/dag/core/block.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'
import { accountOf, alice, bob, SmallNetwork, tensorCid } from './small-network.ts'

const expert = 'layer0.expert0'
const part = (changes: object = {}) => ({
  name: expert,
  layer: 0,
  tensor: tensorCid('e1').toString(),
  shape: [4, 4],
  ...changes
})

test('genesis gives block 0 of chain A, and a block of chain B for each part', () => {
  const { executor, genesis } = new SmallNetwork()
  assert.deepEqual(
    (['A', 'B', 'C', 'D'] as const).map(chain => executor.chain(chain).height),
    [1, 2, 0, 0]
  )
  const [meta, ...parts] = genesis.blocks
  assert.deepEqual(meta!.header.depends_on, [])
  for (const block of parts) assert.deepEqual(block.header.depends_on.map(String), [meta!.cid.toString()])
})

test('a block names its event, its author, and the SHA-256 of what it carries', () => {
  const network = new SmallNetwork()
  const event = network.event(alice, 'transfer', { to: accountOf(bob), amount: '1' })
  const { header } = network.order(event).blocks[0]!
  assert.deepEqual([header.chain_id, header.index, header.block_type], ['C', 0, 'transfer'])
  assert.deepEqual(header.miner_pub, alice.publicKey)
  assert.deepEqual(header.payload_sig, event.signature)
  assert.equal(bytesToHex(digestOfCid(header.event!)), event.digest)
  assert.deepEqual(header.payload_hash, sha256(event.envelope.payload))
})

test('chains A, C and D are lines: each block depends on the one before', () => {
  const network = new SmallNetwork()
  const datasets = (name: string) => ({
    name,
    data: rawCid(sha256(Buffer.from(name))).toString(),
    sizeBytes: 5,
    licence: 'CC0-1.0'
  })
  const blocks = ['a', 'b'].flatMap(
    name =>
      network.order(
        network.event(alice, 'model', { layers: name.length }),
        network.event(alice, 'transfer', { to: accountOf(bob), amount: '1' }),
        network.event(bob, 'dataset', datasets(name))
      ).blocks
  )
  const [a1, c0, d0, a2, c1, d1] = blocks
  const dependsOn = (block: (typeof blocks)[number] | undefined) => block!.header.depends_on.map(String)
  assert.deepEqual(dependsOn(a1), [network.genesis.blocks[0]!.cid.toString()])
  assert.deepEqual(dependsOn(a2), [a1!.cid.toString()])
  assert.deepEqual([dependsOn(c0), dependsOn(c1)], [[], [c0!.cid.toString()]])
  assert.deepEqual([dependsOn(d0), dependsOn(d1)], [[], [d0!.cid.toString()]])
})

test('a version on chain B depends on the meta block, the version before and what it names', () => {
  const network = new SmallNetwork()
  const [meta, first, router] = network.genesis.blocks
  const { blocks } = network.order(
    network.event(alice, 'expert', part({ parent: first!.cid.toString(), dependsOn: [router!.cid.toString()] }))
  )
  assert.deepEqual(
    blocks[0]!.header.depends_on.map(String),
    [meta, first, router].map(block => block!.cid.toString())
  )
  assert.equal(blocks[0]!.header.tensor!.toString(), tensorCid('e1').toString())
})

test('the index of parts keeps every version, oldest first', () => {
  const network = new SmallNetwork()
  for (const name of ['e1', 'e2'])
    network.order(network.event(alice, 'expert', part({ tensor: tensorCid(name).toString() })))
  const { parts } = network.executor
  assert.deepEqual(parts.names(), [expert, 'layer0.router'])
  assert.deepEqual(
    parts.history(expert).map(version => version.tensor),
    ['e0', 'e1', 'e2'].map(name => tensorCid(name).toString())
  )
  assert.equal(parts.newest(expert)!.tensor, tensorCid('e2').toString())
  assert.deepEqual([parts.newest('nobody'), parts.history('nobody')], [undefined, []])
})

test('a new part begins with the meta block alone', () => {
  const network = new SmallNetwork()
  const { blocks } = network.order(network.event(alice, 'expert', part({ name: 'layer0.expert1' })))
  assert.deepEqual(blocks[0]!.header.depends_on.map(String), [network.genesis.blocks[0]!.cid.toString()])
})

const refused: Record<string, [object, string]> = {
  'a parent that is not the newest version': [{ parent: tensorCid('other').toString() }, 'PART_PARENT_UNKNOWN'],
  'another shape than the part has': [{ shape: [4, 5] }, 'PART_SHAPE_WRONG'],
  'a dependency that is no block of chain B': [
    { dependsOn: [tensorCid('other').toString()] },
    'CHAIN_DEPENDENCY_UNKNOWN'
  ],
  'a part of another type': [{ name: 'layer0.router', shape: [4] }, 'EVENT_PAYLOAD_INVALID']
}

for (const [name, [changes, code]] of Object.entries(refused)) {
  test(`a version is refused for ${name}`, () => {
    const network = new SmallNetwork()
    const root = network.executor.parts.newest(expert)
    const { events, blocks } = network.order(network.event(alice, 'expert', part(changes)))
    assert.deepEqual([events[0]!.refusal, blocks], [code, []])
    assert.deepEqual(network.executor.parts.newest(expert), root)
  })
}

test('without stake nobody writes to chains A and B', () => {
  const network = new SmallNetwork()
  const { events } = network.order(network.event(bob, 'expert', part()), network.event(bob, 'model', { layers: 2 }))
  assert.deepEqual(
    events.map(({ refusal }) => refusal),
    ['EVENT_NOT_AUTHORISED', 'EVENT_NOT_AUTHORISED']
  )
})

test('a block comes out as it went in, under its own CID', () => {
  const network = new SmallNetwork()
  for (const block of network.genesis.blocks) {
    assert.deepEqual(makeBlock(decodeBlock(block.bytes).header).bytes, block.bytes)
    assert.ok(cidOfObject(block.bytes).equals(block.cid))
  }
})

test('whatever bytes come, the decoder of blocks answers or refuses by name', () => {
  refusesOnlyByName(
    decodeBlock,
    new SmallNetwork().genesis.blocks.map(block => block.bytes)
  )
})
