import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { readCheckpoint, writeCheckpoint } from '../../src/experts/training/checkpoint.ts'
import { temporaryFolder } from './model-folder.ts'
import { refusal } from './training-model.ts'

const run = promisify(execFile)
const head = { identity: 'model and parts', step: 7, sequencesPerRun: 2 }
const values = (): { name: string; values: Float32Array }[] => [
  { name: 'now', values: Float32Array.from({ length: 33 }, (_, i) => Math.sin(i)) },
  { name: 'moments', values: Float32Array.of(-0, Number.NaN, 1e-40, Number.POSITIVE_INFINITY) }
]
const empty = (): { name: string; values: Float32Array }[] =>
  values().map(({ name, values: { length } }) => ({ name, values: new Float32Array(length) }))

test('a checkpoint gives back what was written, and takes the place of the one before', async t => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'checkpoint')
  await writeCheckpoint(path, { ...head, step: 1 }, [])
  await writeCheckpoint(path, head, values())
  const read = empty()
  assert.deepEqual(await readCheckpoint(path, head.identity, read), head)
  assert.deepEqual(read, values())
  assert.deepEqual(readdirSync(folder), ['checkpoint'])
})

test('a checkpoint that is torn, damaged or of something else is refused', async t => {
  const path = join(temporaryFolder(t), 'checkpoint')
  await writeCheckpoint(path, head, values())
  const whole = readFileSync(path)
  const refused = (sections = empty(), identity = head.identity): Promise<void> =>
    refusal(readCheckpoint(path, identity, sections), 'TRAINING_CHECKPOINT_INVALID')
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 1 << (at % 8)
    writeFileSync(path, damaged)
    await refused()
  }
  for (let length = 0; length < whole.length; length += 5) {
    writeFileSync(path, whole)
    truncateSync(path, length)
    await refused()
  }
  writeFileSync(path, whole)
  appendFileSync(path, 'x')
  await refused()
  writeFileSync(path, whole)
  await refused(empty(), 'another model')
  await refused(empty().reverse())
  await refused([{ name: 'now', values: new Float32Array(32) }, empty()[1]!])
  await refusal(readCheckpoint(`${path}-absent`, head.identity, empty()), 'TRAINING_CHECKPOINT_INVALID')
})

test('a checkpoint for which the disk is too full leaves the old one and nothing else', async t => {
  const folder = temporaryFolder(t)
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
  } catch {
    t.skip('needs the right to mount a small disk')
    return
  }
  try {
    const path = join(folder, 'checkpoint')
    await writeCheckpoint(path, head, values())
    const large = [{ name: 'large', values: new Float32Array(100_000) }]
    await refusal(writeCheckpoint(path, head, large), 'DISK_FULL')
    assert.deepEqual(readdirSync(folder), ['checkpoint'])
    assert.deepEqual(await readCheckpoint(path, head.identity, empty()), head)
  } finally {
    await run('umount', [folder])
  }
})
