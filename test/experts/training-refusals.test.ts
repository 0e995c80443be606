import assert from 'node:assert/strict'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TrainingSettings } from '../../src/experts/index.ts'
import { dataOffsetBytes, smallArchitecture, writePart } from './model-folder.ts'
import { packedArchitecture } from './packed-model.ts'
import { batchesFrom, batchOf, refusal, settings, startTrainable, trainSteps } from './training-model.ts'

const mebibyte = 1024 * 1024

test('trainings that make no sense are refused, each with its own code', async t => {
  const { engine, open, parts, parameters, folder } = await startTrainable(t, smallArchitecture, {
    trainingBytesMax: 6 * mebibyte
  })
  const path = join(folder, 'checkpoint')
  const opening = (change: Parameters<typeof open>[0], code: Parameters<typeof refusal>[1]): Promise<void> =>
    refusal(open(change), code)
  const setting = (change: Partial<TrainingSettings>) =>
    opening({ settings: { ...settings, ...change } }, 'ENGINE_REQUEST_INVALID')
  const instead = (name: string, change: object) =>
    parts.map(part => (part.name === name ? { ...part, ...change } : part))
  await opening({ trained: ['layer9.expert0'] }, 'TRAINING_PART_UNKNOWN')
  await opening({ parts: parts.slice(1) }, 'PART_NOT_LOADED')
  await opening({ parts: instead('layer0.router', { name: 'layer7.router' }) }, 'PART_UNKNOWN')
  await opening({ parts: instead('layer0.router', { dtype: 'int8' }) }, 'TRAINING_UNSUPPORTED')
  await opening({ parts: instead('layer0.router', { path: '/etc/hostname' }) }, 'PART_FILE_INVALID')
  await opening({ architecture: { ...packedArchitecture, precision: 'int8' }, parts: [] }, 'TRAINING_UNSUPPORTED')
  await opening({ settings: { ...settings, sequences: 3000 } }, 'TRAINING_TOO_LARGE')
  await setting({ sequences: 0 })
  await setting({ sequenceTokens: 1.5 })
  await setting({ learningRate: Number.NaN })
  await setting({ clipNorm: -1 })
  await setting({ coolDown: { fromStep: 4, toStep: 4 } })
  await opening({ resume: path }, 'TRAINING_CHECKPOINT_INVALID')
  writeFileSync(path, 'no checkpoint')
  await opening({ resume: path }, 'TRAINING_CHECKPOINT_INVALID')

  const training = await open()
  const wrong = (tokens: Uint32Array) => refusal(trainSteps(training, [tokens]), 'ENGINE_REQUEST_INVALID')
  await wrong(batchOf(0).subarray(1))
  await wrong(batchOf(0).fill(256))
  await refusal(training.score({ tokens: batchOf(0).subarray(1) }), 'ENGINE_REQUEST_INVALID')
  await refusal(training.score({ tokens: batchOf(0).fill(256) }), 'ENGINE_REQUEST_INVALID')
  const changed = (name: string, length: number) =>
    training.score({ tokens: batchOf(0), changes: new Map([[name, new Float32Array(length)]]) })
  await refusal(changed('layer0.router', 24), 'ENGINE_REQUEST_INVALID')
  await refusal(changed('layer9.router', 24), 'TRAINING_PART_UNKNOWN')
  // None of it left anything behind.
  const plain = await training.score({ tokens: batchOf(0) })
  assert.deepEqual(await changed('layer0.router', 5 * 24), plain)
  await training.save(path)
  await opening({ trained: ['layer0.router'], resume: path }, 'TRAINING_CHECKPOINT_INVALID')
  await refusal(training.save(join(folder, 'absent', 'checkpoint')), 'DISK_FAILED')

  const short = writePart(folder, 'layer0.expert0', [3, 24, 10], new Float32Array(720), 'short')
  truncateSync(short.path, dataOffsetBytes + 100)
  const other = writePart(
    folder,
    'layer0.router',
    [5, 24],
    parameters.get('layer0.router')!.map(value => value + 1),
    'other'
  )
  await refusal(training.rebase({ parts: [other, short], keep: true }), 'PART_FILE_INVALID')
  assert.deepEqual(await training.score({ tokens: batchOf(0) }), plain)

  const nothing = writePart(folder, 'embedding', [257, 24], new Float32Array(257 * 24).fill(Number.NaN), 'nothing')
  assert.ok(
    (await training.score({ tokens: batchOf(0), parts: [nothing] })).every(loss => loss === Number.POSITIVE_INFINITY)
  )
  await training.rebase({ parts: [nothing], keep: false })
  await refusal(trainSteps(training, batchesFrom(0, 1)), 'TRAINING_NOT_FINITE')
  assert.ok((await training.delta()).get('layer0.router')!.every(value => value === 0))
  assert.equal(training.step, 0)

  await training.close()
  await refusal(training.delta(), 'TRAINING_NOT_OPEN')
  // What was closed gives its memory back, and what was refused took none.
  for (let i = 0; i < 20; i++) await (await open()).close()
  assert.equal((await engine.status()).restarts, 0)
})
