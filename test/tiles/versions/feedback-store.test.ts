import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createFeedbackStore, type Feedback } from '../../../src/tiles/index.ts'
import { temporaryFolder } from '../support.ts'
import { noise } from './support.ts'

const run = promisify(execFile)
const feedback = (length: number, seed: number): Feedback => ({
  residual: noise(length, seed),
  warm: [noise(64, seed + 1), noise(32, seed + 2)]
})

test('what a learner left out is there again after a restart, to the bit', async t => {
  const folder = await temporaryFolder(t)
  const left = feedback(5000, 1)
  await createFeedbackStore({ folder }).write('genesis', 'layer0.expert0', 0, left)
  const again = createFeedbackStore({ folder })
  assert.deepEqual(await again.read('genesis', 'layer0.expert0', 0), left)
  const next = feedback(5000, 9)
  await again.write('genesis', 'layer0.expert0', 0, next)
  assert.deepEqual(await again.read('genesis', 'layer0.expert0', 0), next)
})

test('parts, tiles and models are kept apart, and cleared apart', async t => {
  const store = createFeedbackStore({ folder: await temporaryFolder(t) })
  const places: readonly (readonly [model: string, part: string, tile: number])[] = [
    ['genesis', 'layer0.expert1', 0],
    ['genesis', 'layer0.expert1', 1],
    ['genesis', 'layer0.expert11', 0],
    ['../genesis', 'layer0.expert1', 0],
    ['other', 'layer0.expert1', 0]
  ]
  for (const [at, place] of places.entries()) await store.write(...place, feedback(64, at))
  const there = async () => Promise.all(places.map(async place => (await store.read(...place)) !== undefined))
  for (const [at, place] of places.entries()) assert.deepEqual(await store.read(...place), feedback(64, at))
  await store.clear('genesis', 'layer0.expert1')
  assert.deepEqual(await there(), [false, false, true, true, true])
  await store.clear('genesis')
  assert.deepEqual(await there(), [false, false, false, true, true])
  await store.clear('never there', 'part')
  await store.clear('never there')
})

test('a torn, damaged or foreign file reads as none, and is written over', async t => {
  const folder = await temporaryFolder(t)
  const store = createFeedbackStore({ folder })
  await store.write('genesis', 'a', 0, feedback(500, 1))
  const [name] = await readdir(join(folder, 'of-genesis'))
  const path = join(folder, 'of-genesis', name!)
  const whole = await readFile(path)
  const flipped = Buffer.from(whole)
  flipped[whole.length - 5]! ^= 1
  for (const bytes of [whole.subarray(0, whole.length - 1), whole.subarray(0, 20), Buffer.alloc(0), flipped]) {
    await writeFile(path, bytes)
    assert.equal(await store.read('genesis', 'a', 0), undefined)
  }
  await store.write('genesis', 'a', 0, feedback(500, 2))
  assert.deepEqual(await store.read('genesis', 'a', 0), feedback(500, 2))
  await rename(path, path.replace('of-a+0', 'of-b+0'))
  assert.equal(await store.read('genesis', 'b', 0), undefined, 'a file under the name of another part')
})

test('writes at the same time leave one of them whole, and no temporary file', async t => {
  const folder = await temporaryFolder(t)
  const store = createFeedbackStore({ folder })
  await Promise.all(Array.from({ length: 8 }, (_, seed) => store.write('genesis', 'a', 0, feedback(2000, seed))))
  assert.deepEqual(await store.read('genesis', 'a', 0), feedback(2000, 7))
  assert.equal((await readdir(join(folder, 'of-genesis'))).length, 1)
})

test('a disk that is full while it is written leaves what was there before', async t => {
  const folder = await temporaryFolder(t)
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder])
  } catch {
    t.skip('needs the right to mount a small disk')
    return
  }
  try {
    const store = createFeedbackStore({ folder })
    await store.write('genesis', 'a', 0, feedback(100_000, 1))
    await assert.rejects(store.write('genesis', 'a', 0, feedback(240_000, 2)), { code: 'DISK_FULL' })
    assert.deepEqual(await store.read('genesis', 'a', 0), feedback(100_000, 1))
    assert.equal((await readdir(join(folder, 'of-genesis'))).length, 1)
    await store.clear('genesis')
    await store.write('genesis', 'a', 0, feedback(100_000, 3))
  } finally {
    await run('umount', [folder])
  }
})
