import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisOf, parseGenesis } from '../../src/dag/core/genesis.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { genesisFile, tensorCid } from './small-network.ts'

const file = genesisFile()
const [validator] = file.validators
const [part] = file.model.parts
const parse = (value: unknown) => parseGenesis(JSON.stringify(value))

test('a genesis file has the committed CID, however it is laid out', () => {
  const committed = 'bafyreiduyq2uzqks5ygvmjpmzdjs77yirpoecrd3h64jbn57odp23p5ua4'
  assert.equal(genesisOf(file).cid, committed)
  assert.equal(parseGenesis(JSON.stringify(file, null, 4)).cid, committed)
  const turned = Object.fromEntries(Object.entries(file).reverse())
  assert.equal(parse(turned).cid, committed)
})

test('everything in the file is part of the CID', () => {
  const changes: object[] = [
    { network: 'other' },
    { createdAt: '2026-01-01T00:00:01Z' },
    { pact: 'cd'.repeat(32) },
    { validators: file.validators.slice(1) },
    { validators: [...file.validators].reverse() },
    { accounts: [] },
    { consensus: { ...file.consensus, heartbeatMs: 1001 } },
    { model: { ...file.model, architecture: { layers: 2 } } },
    { model: { ...file.model, parts: [] } }
  ]
  const cids = [file, ...changes.map(change => ({ ...file, ...change }))].map(one => parse(one).cid)
  assert.equal(new Set(cids).size, cids.length)
})

test('the committee and the limits are those of the file', () => {
  const { committee, parameters, timeMs } = parse(genesisFile({}, 7))
  assert.deepEqual([committee.totalWeight, committee.quorumWeight, committee.epoch], [7, 5, 0])
  assert.equal(parameters.checkpointCommitsMax, 4)
  assert.equal(timeMs, Date.UTC(2026, 0, 1))
})

test('fields that may be left out change no digest while they are, and count when they are there', () => {
  const { epochMs, ...rest } = parse(file).parameters
  assert.equal(epochMs, 10_000)
  assert.ok(!('degraded' in rest))
  const explicit = { ...file, consensus: { ...file.consensus, epochMs: 10_000 } }
  assert.notEqual(parse(explicit).cid, parse(file).cid)
  assert.equal(parse({ ...file, consensus: { ...file.consensus, epochMs: 5 } }).parameters.epochMs, 5)
})

test('three may declare that two go on', () => {
  const three = genesisFile({}, 3)
  const crash = { ...three, consensus: { ...three.consensus, degraded: 'crash' } }
  assert.deepEqual([parse(crash).committee.orderingWeight, parse(crash).committee.quorumWeight], [2, 3])
  assert.equal(parse(three).committee.orderingWeight, 3)
  assert.equal(parse({ ...file, consensus: { ...file.consensus, degraded: 'none' } }).degraded, 'none')
})

const three = genesisFile({}, 3)
const refused: Record<string, unknown> = {
  'going on with three of four': { ...file, consensus: { ...file.consensus, degraded: 'crash' } },
  'going on with two when one of three has the most weight': {
    ...three,
    validators: three.validators.with(0, { ...three.validators[0]!, weight: 3 }),
    consensus: { ...three.consensus, degraded: 'crash' }
  },
  'a degraded mode that nobody knows': { ...three, consensus: { ...three.consensus, degraded: 'lies' } },
  'an epoch of negative length': { ...file, consensus: { ...file.consensus, epochMs: -1 } },
  'a key that nobody knows': { ...file, more: 1 },
  'a key that nobody knows, further in': { ...file, validators: [{ ...validator, stake: 1 }] },
  'another schema': { ...file, schema: 'blyan.genesis/2' },
  'no validators': { ...file, validators: [] },
  'one validator key twice': { ...file, validators: [validator, { ...validator, name: 'other' }] },
  'a validator key that is none': { ...file, validators: [{ ...validator, publicKey: 'z6Mk' }] },
  'a weight of zero': { ...file, validators: [{ ...validator, weight: 0 }] },
  'a weight that is no whole number': { ...file, validators: [{ ...validator, weight: 1.5 }] },
  'a weight as text': { ...file, validators: [{ ...validator, weight: '1' }] },
  'a tensor that is no CID': { ...file, model: { ...file.model, parts: [{ ...part, tensor: 'bafy' }] } },
  'a tensor with another hash': {
    ...file,
    model: { ...file.model, parts: [{ ...part, tensor: 'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n' }] }
  },
  'a balance that is a number': { ...file, accounts: [{ ...file.accounts[0], balance: 5 }] },
  'a balance below zero': { ...file, accounts: [{ ...file.accounts[0], balance: '-5' }] },
  'a pact that is no digest': { ...file, pact: 'AB'.repeat(32) },
  'a time that is none': { ...file, createdAt: 'yesterday' },
  'a fraction in the architecture': { ...file, model: { ...file.model, architecture: { rate: 0.1 } } },
  'a limit out of range': { ...file, consensus: { ...file.consensus, gcDepthRounds: 1 } },
  'a limit left out': { ...file, consensus: { ...file.consensus, gcDepthRounds: undefined } },
  'a list': [],
  nothing: null
}

for (const [name, bad] of Object.entries(refused)) {
  test(`a genesis file is refused for ${name}`, () => {
    assert.throws(
      () => parse(bad),
      error => isBlyanError(error, 'GENESIS_INVALID') && error.message.length > 10
    )
  })
}

test('text that is no JSON is refused by name', () => {
  for (const text of ['', '{', 'null x', '\u0000'])
    assert.throws(
      () => parseGenesis(text),
      error => isBlyanError(error, 'GENESIS_INVALID')
    )
})

test('the parts of genesis are the first blocks of chain B, each with its tensor', () => {
  const { blocks } = genesisOf(file)
  assert.deepEqual(
    blocks.map(({ header }) => `${header.chain_id}${header.index}`),
    ['A0', 'B0', 'B1']
  )
  assert.equal(blocks[1]!.header.tensor!.toString(), tensorCid('e0').toString())
})
