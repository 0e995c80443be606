import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { cutsOf, type PartDescription, sliceOf, unpackSlice } from '../../src/experts/index.ts'
import { decodeTokenizerRecord, openCheckpointImport } from '../../src/models/index.ts'
import { type ImportedParts, importParts } from './imported-parts.ts'
import { type CheckpointOptions, writeCheckpoint } from './tiny-checkpoint.ts'
import { blockName, expertNames, families, type Tensor, type TinyModel, tinyModel, tinyTensors } from './tiny-model.ts'
import { tinyTokenizer } from './tiny-tokenizer.ts'

const root = await mkdtemp(join(tmpdir(), 'blyan-import-'))
after(() => rm(root, { recursive: true }))
let folders = 0

async function imported(
  model: TinyModel,
  precision: 'fp32' | 'int8',
  options: CheckpointOptions = {}
): Promise<ImportedParts> {
  const folder = join(root, `${folders++}`)
  await writeCheckpoint(folder, model, options)
  return importParts(folder, precision)
}

function digestOf({ parts }: ImportedParts): string {
  const hash = createHash('sha256')
  for (const { description, data } of parts) hash.update(description.name).update(data)
  return hash.digest('hex')
}

/** Published name of what a slice of a part stores. */
function tensorNameOf(model: TinyModel, part: PartDescription, slice: string): string {
  const layer = `model.layers.${part.layer}`
  const projections: Record<string, string> = { query: 'q', key: 'k', value: 'v', output: 'o' }
  if (part.name === 'embedding') return slice === 'finalNorm' ? 'model.norm.weight' : 'model.embed_tokens.weight'
  if (part.name === 'output') return model.tied ? 'model.embed_tokens.weight' : 'lm_head.weight'
  if (slice === 'attentionNorm') return `${layer}.input_layernorm.weight`
  if (slice === 'expertsNorm') return `${layer}.post_attention_layernorm.weight`
  if (slice === 'router') return `${layer}.${blockName(model.family)}.gate.weight`
  if (slice === 'sharedGate') return `${layer}.mlp.shared_expert_gate.weight`
  const kind = slice.replace(/(Bias|Norm)$/, '')
  if (kind in projections)
    return `${layer}.self_attn.${projections[kind]}${slice.endsWith('Norm') ? '_norm.weight' : slice.endsWith('Bias') ? '_proj.bias' : '_proj.weight'}`
  if (part.expert !== null)
    return expertNames(model.family, part.layer!, part.expert)[['gate', 'up', 'down'].indexOf(slice)]!
  return `${layer}.mlp${part.name.endsWith('shared') ? '.shared_expert' : ''}.${slice}_proj.weight`
}

/** Steps are rounded to fp32, and a value may be 127 of them. */
const halfStep = 0.5 + 127 * 2 ** -23

const floats = (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer)
const matrixNames = (part: PartDescription) => [
  ...new Set(part.slices.filter(({ name }) => !name.endsWith('.scales')).map(({ name }) => name.replace(/\.\d+$/, '')))
]

for (const family of families) {
  test(`every weight comes back from fp32 parts as it was: ${family}`, async () => {
    const model = tinyModel(family, { layers: 2, experts: 3 })
    const tensors = tinyTensors(model, 'fp32')
    const { parts } = await imported(model, 'fp32')
    const seen = new Set<string>()
    for (const { description, data } of parts) {
      assert.equal(data.length, description.dataLengthBytes)
      for (const slice of description.slices) {
        const name = tensorNameOf(model, description, slice.name)
        assert.deepEqual(floats(unpackSlice(data, slice)), Float32Array.from(tensors.get(name)!.values), name)
        seen.add(name)
      }
    }
    assert.deepEqual([...seen].sort(), [...tensors.keys()].sort())
  })

  test(`int8 parts are within half a step of every weight: ${family}`, async () => {
    const model = tinyModel(family, { layers: 2, experts: 3 })
    const tensors = tinyTensors(model, 'bf16')
    const { parts } = await imported(model, 'int8', { type: 'bf16' })
    for (const { description, data } of parts) {
      for (const name of matrixNames(description)) {
        const tensor = tensors.get(tensorNameOf(model, description, name))!
        assertClose(description, data, name, tensor)
      }
    }
  })

  test(`parts are the same whatever the layout, the files and the configuration: ${family}`, async () => {
    const model = tinyModel(family, { experts: 3, expertWidth: 36 })
    for (const type of ['fp32', 'bf16', 'fp16'] as const) {
      const variants: CheckpointOptions[] = [
        { config: 'v4', layout: 'experts', files: 1, type },
        { config: 'v5', layout: 'fused', files: 3, type }
      ]
      for (const precision of ['int8', 'fp32'] as const) {
        const [first, second] = await Promise.all(variants.map(options => imported(model, precision, options)))
        assert.deepEqual(first!.architecture, second!.architecture)
        assert.equal(digestOf(first!), digestOf(second!), `${type} as ${precision}`)
      }
    }
  })
}

function assertClose(part: PartDescription, data: Uint8Array, name: string, { shape, values }: Tensor): void {
  const columns = shape.at(-1)!
  if (part.slices.find(slice => slice.name === name)?.dtype === 'fp32') {
    assert.deepEqual(floats(unpackSlice(data, sliceOf(part, name))), Float32Array.from(values), name)
    return
  }
  let firstRow = 0
  for (const { matrix, scales } of cutsOf(part, name)) {
    const stored = new Int8Array(unpackSlice(data, matrix).slice().buffer)
    const steps = floats(unpackSlice(data, scales!))
    const isTurned = matrix.orientation === 'inOut'
    for (let row = 0; row < steps.length; row++) {
      let [largest, worst] = [0, 0]
      for (let column = 0; column < columns; column++) {
        const value = values[(firstRow + row) * columns + column]!
        const found = stored[isTurned ? column * steps.length + row : row * columns + column]!
        worst = Math.max(worst, Math.abs(found * steps[row]! - value))
        largest = Math.max(largest, Math.abs(found))
      }
      if (worst > steps[row]! * halfStep || largest !== 127) assert.fail(`${name}, row ${row}: ${worst}, ${largest}`)
    }
    firstRow += steps.length
  }
  assert.equal(firstRow, shape[0])
}

test('output rows of a tied model are its embeddings; a matrix with many outputs is cut and read piece by piece', async () => {
  const model = tinyModel('olmoe', { tied: true, layers: 1, experts: 2, vocabulary: 20_001, width: 16, headWidth: 4 })
  const tensors = tinyTensors(model, 'bf16')
  const { parts, largestPieceBytes } = await imported(model, 'int8', { type: 'bf16' })
  const output = parts.find(({ description }) => description.name === 'output')!
  assert.equal(cutsOf(output.description, 'rows').length, 3)
  assertClose(output.description, output.data, 'rows', tensors.get('model.embed_tokens.weight')!)
  assert.ok(largestPieceBytes <= 8192 * 16 * 4)
})

test('the tokenizer`s files come along as they were', async () => {
  const { tokenizer, architecture } = await imported(tinyModel('mixtral'), 'int8')
  assert.deepEqual(decodeTokenizerRecord(tokenizer!), tinyTokenizer())
  assert.equal(architecture.tokenizer, 'tokenizer.json')
})

test('the thread hands out the same parts, in the order asked for, and ends with a cancel', async () => {
  const folder = join(root, `${folders++}`)
  await writeCheckpoint(folder, tinyModel('qwen2_moe'), { files: 2, type: 'bf16' })
  const expected = await importParts(folder, 'int8')
  const opened = await openCheckpointImport({ folder, precision: 'int8' })
  try {
    assert.deepEqual(opened.plan.architecture, expected.architecture)
    assert.equal(opened.plan.sourceBytes.length, expected.parts.length)
    const wanted = [3, 0, 7]
    const taken: number[] = []
    for await (const { part, data } of opened.read(wanted)) {
      const pieces: Uint8Array[] = []
      for await (const piece of data) pieces.push(piece)
      assert.ok(Buffer.concat(pieces).equals(expected.parts[part]!.data))
      taken.push(part)
    }
    assert.deepEqual(taken, wanted)
    const rest = opened.read([1])[Symbol.asyncIterator]()
    const { data } = (await rest.next()).value!
    await opened.close()
    await assert.rejects(
      async () => {
        for await (const piece of data) assert.ok(piece.length > 0)
      },
      { code: 'IMPORT_STOPPED' }
    )
  } finally {
    await opened.close()
  }
})
