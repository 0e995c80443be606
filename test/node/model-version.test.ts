import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlyanError } from '../../src/errors/index.ts'
import { genesisArchitecture } from '../../src/experts/index.ts'
import type { ModelEntry, ModelPart } from '../../src/node/index.ts'
import { createModelVersions } from '../../src/node/models/model-version.ts'
import type { TensorInfo } from '../../src/tiles/index.ts'

const part = (name: string, tensor: string): ModelPart => ({
  name: `m.${name}`,
  part: name,
  blockType: 'expert',
  layer: 0,
  expert: 0,
  block: `block of ${tensor}`,
  tensor,
  shape: [2, 3],
  lengthBytes: 24,
  isHere: false
})

const entry: ModelEntry = {
  name: 'm',
  architecture: genesisArchitecture('x'),
  isGenesis: false,
  block: 'A',
  author: null,
  tokenizer: null,
  parts: [part('layer0.expert0', 'new0'), part('layer0.expert1', 'new1')],
  isComplete: true
}

const shapes: Readonly<Record<string, readonly [readonly number[], number]>> = {
  new0: [[2, 3], 24],
  old0: [[2, 3], 24],
  wide: [[3, 3], 36],
  half: [[2, 3], 12]
}

const fetched: string[] = []
const versions = createModelVersions({
  tensors: {
    fetchTensor: async cid => {
      fetched.push(cid)
      const [shape, dataLengthBytes] = shapes[cid] ?? []
      if (shape === undefined) throw new BlyanError('TENSOR_NOT_FOUND', { cid })
      return { cid, shape, dataLengthBytes, dtype: 'fp32' } as unknown as TensorInfo
    }
  },
  parts: () => ({
    history: name =>
      name === 'm.layer0.expert0'
        ? [{ name, blockType: 'expert', layer: 0, block: 'first', tensor: 'old0', shape: [2, 3] }]
        : []
  })
})

test('a model without picks, or with those it has, is the model itself', async () => {
  assert.equal(await versions.of(entry, undefined, {}), entry)
  assert.equal(await versions.of(entry, {}, {}), entry)
  assert.equal(await versions.of(entry, { 'layer0.expert0': 'new0' }, {}), entry)
})

test('a picked version stands beside the newest under a name of its own, found by its tensor or its block', async () => {
  const byTensor = await versions.of(entry, { 'layer0.expert0': 'old0' }, {})
  const byBlock = await versions.of(entry, { 'm.layer0.expert0': 'first' }, {})
  assert.match(byTensor.name, /^m~[0-9a-f]{8}$/)
  assert.equal(byBlock.name, byTensor.name)
  assert.deepEqual(
    byTensor.parts.map(({ tensor }) => tensor),
    ['old0', 'new1']
  )
  assert.equal(byBlock.parts[0]!.block, 'first')
  assert.deepEqual(
    entry.parts.map(({ tensor }) => tensor),
    ['new0', 'new1']
  )
})

test('what does not fit is refused before anything runs', async () => {
  await assert.rejects(versions.of(entry, { 'layer0.expert0': 'wide' }, {}), { code: 'PART_VERSION_UNFIT' })
  await assert.rejects(versions.of(entry, { 'layer0.expert0': 'half' }, {}), /12 bytes of fp32 and not 24/)
  await assert.rejects(versions.of(entry, { nothing: 'old0' }, {}), { code: 'PART_UNKNOWN_ON_CHAIN' })
  await assert.rejects(versions.of(entry, { 'layer0.expert0': 'gone' }, {}), { code: 'TENSOR_NOT_FOUND' })
})
