import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isBlyanError } from '../../src/errors/index.ts'
import {
  describeModel,
  genesisArchitecture,
  genesisParts,
  littleEndianBytes,
  parseArchitecture
} from '../../src/experts/index.ts'

type Vector = { seed: string; parts: { name: string; blockType: string; shape: number[]; sha256: string }[] }
const vector = JSON.parse(readFileSync(new URL('../vectors/genesis-model.json', import.meta.url), 'utf8')) as Vector

test('the genesis model has the committed bytes, part by part', () => {
  const parts = [...genesisParts(genesisArchitecture(vector.seed))].map(({ name, blockType, shape, data }) => {
    const digest = createHash('sha256').update(littleEndianBytes(data)).digest('hex')
    return { name, blockType, shape: [...shape], sha256: digest }
  })
  assert.deepEqual(parts, vector.parts)
  assert.equal(parts.length, 41)
})

test('a second implementation of the generator, in big integers, draws the same expert', () => {
  const architecture = genesisArchitecture('another seed')
  const part = [...genesisParts(architecture)].find(({ name }) => name === 'layer3.expert7')!
  const next = referenceGenerator('blyan-genesis/1|another seed|layer3.expert7')
  const shifts = [19, 19, 21]
  part.data.forEach((value, i) => {
    const [first, second] = [next(), next()]
    const sum = (first & 65535n) + (first >> 16n) + (second & 65535n) + (second >> 16n)
    if (value !== Number(sum - 131070n) / 2 ** shifts[Math.floor(i / 32_768)]!) assert.fail(`value ${i} differs`)
  })
})

test('norm weights are one and every other value is exact in fp32 and small', () => {
  const [embedding, attention] = [...genesisParts(genesisArchitecture('x'))]
  assert.ok(embedding!.data.subarray(-128).every(value => value === 1))
  assert.ok(attention!.data.subarray(-256).every(value => value === 1))
  assert.ok(
    embedding!.data.subarray(0, -128).every(value => Math.abs(value) < 0.07 && Number.isInteger(value * 2 ** 21))
  )
})

test('the parts list needs no data and says what genesis yields', () => {
  const architecture = { ...genesisArchitecture('x'), tiedOutput: false, layers: 2 }
  const described = describeModel(architecture)
  assert.deepEqual(
    [...genesisParts(architecture)].map(({ data, ...part }) => ({ ...part, dataLengthBytes: data.byteLength })),
    described
  )
  assert.equal(described[1]!.name, 'output')
})

test('an architecture record is checked field by field', () => {
  const good = genesisArchitecture('x')
  assert.deepEqual(parseArchitecture(structuredClone(good)), good)
  const bad = [
    null,
    [],
    { ...good, width: 128.5 },
    { ...good, width: 1e9 },
    { ...good, layers: 0 },
    { ...good, headWidth: 16 },
    { ...good, keyValueHeads: 3 },
    { ...good, expertsPerToken: 9 },
    { ...good, normEpsilon: 1e-5 },
    { ...good, normEpsilon: '0' },
    { ...good, family: 'other/1' },
    { ...good, router: { softmaxFirst: true } },
    { ...good, surprise: 1 },
    { ...good, tiedOutput: 'yes' }
  ]
  for (const record of bad) {
    assert.throws(
      () => parseArchitecture(record),
      error => isBlyanError(error, 'ARCHITECTURE_INVALID')
    )
  }
})

/** xoshiro128** from its paper, on big integers. */
function referenceGenerator(text: string): () => bigint {
  const digest = createHash('sha256').update(text).digest()
  const s = [0, 4, 8, 12].map(at => BigInt(digest.readUInt32LE(at)))
  const word = (x: bigint): bigint => BigInt.asUintN(32, x)
  const turn = (x: bigint, by: bigint): bigint => word((x << by) | (x >> (32n - by)))
  return () => {
    const result = word(turn(word(s[1]! * 5n), 7n) * 9n)
    const t = word(s[1]! << 9n)
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= t
    s[3] = turn(s[3]!, 11n)
    return result
  }
}
