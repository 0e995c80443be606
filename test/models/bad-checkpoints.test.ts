import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { importParts } from './imported-parts.ts'
import { safetensorsFile, writeCheckpoint, writeTensors } from './tiny-checkpoint.ts'
import { tinyModel, tinyTensors } from './tiny-model.ts'

const root = await mkdtemp(join(tmpdir(), 'blyan-bad-'))
after(() => rm(root, { recursive: true }))
const model = tinyModel('olmoe', { layers: 1, experts: 2 })
const whole = join(root, 'whole')
const sharded = join(root, 'sharded')
await writeCheckpoint(whole, model)
await writeCheckpoint(sharded, model, { files: 3 })
const secondFile = 'model-00002-of-00003.safetensors'
const indexFile = 'model.safetensors.index.json'
let copies = 0

type Refusal = { readonly code: string; readonly message?: RegExp }

/** Imports a copy of a good folder after something was done to it. */
async function refuses(from: string, spoil: (folder: string) => Promise<unknown>, refusal: Refusal): Promise<void> {
  const folder = join(root, `copy${copies++}`)
  await cp(from, folder, { recursive: true })
  await spoil(folder)
  await assert.rejects(importParts(folder, 'int8'), refusal)
}

const edited = (file: string, change: (text: string) => string) => async (folder: string) => {
  const path = join(folder, file)
  await writeFile(path, change(await readFile(path, 'utf8')))
}

const removed = (file: string) => (folder: string) => rm(join(folder, file))

test('the good folders are imported', async () => {
  for (const folder of [whole, sharded]) assert.ok((await importParts(folder, 'int8')).parts.length > 0)
})

test('a folder that is none, and one without configuration', async () => {
  await assert.rejects(importParts(join(root, 'nowhere'), 'int8'), { code: 'CHECKPOINT_UNREADABLE' })
  await assert.rejects(importParts(join(whole, 'config.json'), 'int8'), { code: 'CHECKPOINT_UNREADABLE' })
  await refuses(whole, removed('config.json'), { code: 'CHECKPOINT_UNREADABLE', message: /config\.json/ })
})

test('missing files are named', async () => {
  await refuses(sharded, removed(secondFile), {
    code: 'CHECKPOINT_SHARD_MISSING',
    message: /1 of its 3 files, model-00002/
  })
  await refuses(whole, removed('model.safetensors'), {
    code: 'CHECKPOINT_SHARD_MISSING',
    message: /model\.safetensors/
  })
})

test('an index that is cut off, empty, wrong, or leads out of the folder', async () => {
  const code = 'CHECKPOINT_INDEX_INVALID'
  await refuses(
    sharded,
    edited(indexFile, text => text.slice(0, text.length / 2)),
    { code, message: /cut off/ }
  )
  for (const text of ['{}', '[]', 'null', '{"weight_map": {}}'])
    await refuses(
      sharded,
      edited(indexFile, () => text),
      { code }
    )
  await refuses(
    sharded,
    edited(indexFile, text => text.replaceAll(secondFile, '../secret.safetensors')),
    { code }
  )
  const moved = edited(indexFile, text =>
    text.replace('"model.norm.weight":"model-0000', '"model.lost.weight":"model-0000')
  )
  await refuses(sharded, moved, { code, message: /model\.lost\.weight/ })
})

test('files that are cut off, empty, too long or damaged', async () => {
  const code = 'CHECKPOINT_FILE_INVALID'
  const cut = (sizeBytes: number) => (folder: string) => truncate(join(folder, secondFile), sizeBytes)
  for (const sizeBytes of [0, 7, 100, 5000]) await refuses(sharded, cut(sizeBytes), { code, message: /model-00002/ })
  const longer = async (folder: string) =>
    writeFile(join(folder, secondFile), Buffer.concat([await readFile(join(folder, secondFile)), Buffer.alloc(3)]))
  await refuses(sharded, longer, { code })
  await refuses(whole, folder => writeFile(join(folder, 'model.safetensors'), Buffer.alloc(64, 0xff)), { code })
})

test('a missing tensor and one of another shape are named with what was expected', async () => {
  const tensors = tinyTensors(model, 'fp32')
  const name = 'model.layers.0.mlp.experts.1.down_proj.weight'
  const without = new Map([...tensors].filter(([other]) => other !== name))
  await refuses(whole, folder => writeTensors(folder, without, 1, 'fp32'), {
    code: 'CHECKPOINT_TENSOR_MISSING',
    message: /experts\.1\.down_proj/
  })
  const { values } = tensors.get(name)!
  const turned = new Map(tensors).set(name, { shape: [96, 64], values })
  await refuses(whole, folder => writeTensors(folder, turned, 1, 'fp32'), {
    code: 'CHECKPOINT_SHAPE_WRONG',
    message: /experts\.1\.down_proj.* 96 x 64 .* 64 x 96/
  })
})

test('weights of other kinds than floats are refused, not read as floats', async () => {
  const bytes = Buffer.from(safetensorsFile([...tinyTensors(model, 'fp32')], 'fp32'))
  const as = (dtype: string, size: number) => (folder: string) => {
    const length = Number(bytes.readBigUInt64LE())
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString())
    const [name, entry] = Object.entries(header).find(([, value]) => (value as { shape?: unknown }).shape)! as [
      string,
      { shape: number[] }
    ]
    const changed = { ...header, [name]: { ...entry, dtype, shape: [entry.shape[0]! * size, entry.shape[1]!] } }
    const text = Buffer.from(JSON.stringify(changed))
    const lengthField = Buffer.alloc(8)
    lengthField.writeBigUInt64LE(BigInt(text.length))
    return writeFile(join(folder, 'model.safetensors'), Buffer.concat([lengthField, text, bytes.subarray(8 + length)]))
  }
  for (const [dtype, size] of [
    ['I8', 4],
    ['F8_E4M3', 4],
    ['I32', 1]
  ] as const)
    await refuses(whole, as(dtype, size), {
      code: 'CHECKPOINT_DTYPE_UNSUPPORTED',
      message: new RegExp(dtype === 'I32' ? 'I32' : 'int8|fp8')
    })
})

test('values that are not finite are found in every weight type', async () => {
  const name = 'model.layers.0.self_attn.k_proj.weight'
  for (const type of ['fp32', 'bf16', 'fp16'] as const)
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const tensors = tinyTensors(model, type)
      tensors.get(name)!.values[17] = bad
      await refuses(whole, folder => writeTensors(folder, tensors, 1, type), {
        code: 'CHECKPOINT_VALUE_INVALID',
        message: /k_proj/
      })
    }
})

test('a tokenizer that does not fit the model, is damaged or is missing', async () => {
  await refuses(
    whole,
    edited('config.json', text => text.replace('"vocab_size": 288', '"vocab_size": 270')),
    {
      code: 'TOKENIZER_TOO_LARGE',
      message: /276 tokens .* 270/
    }
  )
  await refuses(
    whole,
    edited('tokenizer.json', text => text.slice(0, 200)),
    { code: 'TOKENIZER_INVALID' }
  )
  await refuses(whole, removed('tokenizer.json'), { code: 'TOKENIZER_MISSING' })
})
