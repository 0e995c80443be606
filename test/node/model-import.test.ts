import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { describeModel } from '../../src/experts/index.ts'
import { decodeTokenizerRecord } from '../../src/models/index.ts'
import { accountOf, bob } from '../dag/small-network.ts'
import { importParts } from '../models/imported-parts.ts'
import { writeCheckpoint } from '../models/tiny-checkpoint.ts'
import { tinyModel } from '../models/tiny-model.ts'
import { tinyTokenizer } from '../models/tiny-tokenizer.ts'
import { createImportedNetwork, type ImportedNetwork, linesOf } from './imported-network.ts'

const root = await mkdtemp(join(tmpdir(), 'blyan-model-import-'))
after(() => rm(root, { recursive: true }))
const model = tinyModel('qwen2_moe', { layers: 1, experts: 4 })
const folder = join(root, 'Tiny-Qwen')
const otherWeights = join(root, 'other')
const damaged = join(root, 'damaged')
await writeCheckpoint(folder, model, { files: 2 })
await writeCheckpoint(otherWeights, model, { type: 'bf16' })
await writeCheckpoint(damaged, model)

const never = new AbortController().signal
const request = (from: string, name?: string, signal = never) => ({
  folder: from,
  name,
  precision: 'int8' as const,
  signal
})

async function dataOf({ tensors }: ImportedNetwork, cid: string): Promise<Uint8Array> {
  const { path, dataOffsetBytes, dataLengthBytes } = tensors.info(cid)!
  const file = await open(path)
  try {
    const bytes = Buffer.alloc(dataLengthBytes)
    await file.read(bytes, 0, dataLengthBytes, dataOffsetBytes)
    return bytes
  } finally {
    await file.close()
  }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test('a folder becomes a model: stopped in the middle it leaves whole parts, and goes on from there', async t => {
  const network = await createImportedNetwork()
  t.after(() => network.close())
  const { importer, executor, tensors, events } = network
  const stop = new AbortController()
  await assert.rejects(
    async () => {
      for await (const line of importer.import(request(folder, undefined, stop.signal)))
        if (line.kind === 'progress' && line.partsDone === 3) stop.abort()
    },
    { code: 'IMPORT_STOPPED' }
  )
  assert.deepEqual(events, [], 'nothing is on chain before everything is here')
  assert.equal(tensors.list().length, 3)
  for (const { cid } of tensors.list()) assert.equal((await tensors.verify(cid)).valid, true)
  assert.equal((await network.files()).filter(name => name.endsWith('.tblock')).length, (await network.files()).length)

  const lines = await linesOf(importer.import(request(folder)))
  const [plan] = lines
  assert.equal(plan?.kind === 'plan' && plan.partsHere, 3)
  const expected = await importParts(folder, 'int8')
  const described = describeModel(expected.architecture)
  const done = lines.at(-1)!
  assert.equal(done.kind, 'done')
  const registered = executor.state.get('model/tinyqwen') as Record<string, unknown>
  assert.deepEqual(registered.architecture, expected.architecture)
  assert.equal(registered.parts, described.length)
  assert.equal(done.kind === 'done' && done.block, String(registered.block))
  assert.deepEqual(decodeTokenizerRecord(await dataOf(network, String(registered.tokenizer))), tinyTokenizer())
  for (const { description, data } of expected.parts) {
    const version = executor.parts.newest(`tinyqwen.${description.name}`)!
    assert.equal(version.blockType, description.blockType)
    assert.equal(version.layer, description.layer)
    assert.deepEqual(version.shape, description.shape)
    assert.equal(sha256(await dataOf(network, version.tensor)), sha256(data), description.name)
    assert.equal(tensors.info(version.tensor)!.pinned, true)
  }

  const before = events.length
  assert.equal(before, described.length + 1)
  assert.equal((await linesOf(importer.import(request(folder)))).at(-1)!.kind, 'done')
  assert.equal(events.length, before, 'imported again, nothing is left to do')

  await assert.rejects(linesOf(importer.import(request(otherWeights, 'tinyqwen'))), { code: 'MODEL_PART_DIFFERS' })
  assert.equal(events.length, before)
})

test('weights that are not numbers leave nothing behind', async t => {
  const network = await createImportedNetwork()
  t.after(() => network.close())
  const path = join(damaged, 'model.safetensors')
  const bytes = await readFile(path)
  const headerBytes = Number(bytes.readBigUInt64LE())
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString())
  const [begin] = header['model.layers.0.mlp.experts.2.up_proj.weight'].data_offsets
  bytes.writeFloatLE(Number.NaN, 8 + headerBytes + begin + 400)
  const file = await open(path, 'r+')
  await file.write(bytes)
  await file.close()
  await assert.rejects(linesOf(network.importer.import(request(damaged, 'bad'))), {
    code: 'CHECKPOINT_VALUE_INVALID',
    message: /experts\.2\.up_proj/
  })
  assert.deepEqual(network.tensors.list(), [])
  assert.deepEqual(network.events, [])
  assert.deepEqual(await network.files(), [])
})

test('who may not register a model, or not under this name, learns it before a weight is read', async t => {
  const network = await createImportedNetwork()
  const poor = await createImportedNetwork(accountOf(bob))
  t.after(() => Promise.all([network.close(), poor.close()]))
  const missing = join(root, 'no such folder')
  const codes = [
    ['layer3', 'MODEL_NAME_RESERVED'],
    ['Big', 'MODEL_NAME_INVALID'],
    ['a.b', 'MODEL_NAME_INVALID'],
    ['fine', 'CHECKPOINT_UNREADABLE']
  ] as const
  for (const [name, code] of codes)
    await assert.rejects(linesOf(network.importer.import(request(missing, name))), { code })
  await assert.rejects(linesOf(poor.importer.import(request(missing, 'fine'))), { code: 'EVENT_NOT_AUTHORISED' })
  const first = network.importer.import(request(folder))[Symbol.asyncIterator]()
  await first.next()
  await assert.rejects(linesOf(network.importer.import(request(folder))), { code: 'IMPORT_BUSY' })
  await first.return!()
})
