import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isBlyanError } from '../../src/errors/index.ts'
import { createSessionPolicy, hotRunsMin } from '../../src/experts/engine/session-policy.ts'
import {
  type ArchitectureV2,
  createEngine,
  type Engine,
  type EngineLimits,
  type ModelStatus,
  type PartFile
} from '../../src/experts/index.ts'
import { silentLogger, startEngine, temporaryFolder, until } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'

const architecture: ArchitectureV2 = { ...packedArchitecture, contextTokens: 512 }
const { width } = architecture
const rowsOf = (count: number, seed = 1): Float32Array =>
  Float32Array.from({ length: count * width }, (_, i) => Math.sin(i * seed + seed))

test('rows of many callers run through an expert together and come back to their own', async t => {
  const { engine } = await startModel(t)
  const loads = (i: number) => [
    { name: 'layer0.expert1', rows: rowsOf(1 + (i % 3), i + 1) },
    { name: `layer1.expert${i % 5}`, rows: rowsOf(2, i + 7) }
  ]
  const together = await Promise.all(
    Array.from({ length: 24 }, (_, i) =>
      engine.runExperts({ model: 'm', loads: loads(i), priority: i % 2 === 0 ? 'answer' : 'background' })
    )
  )
  const { experts, expertRowsWaiting } = await statusOf(engine)
  const use = experts.find(({ name }) => name === 'layer0.expert1')!
  assert.equal(use.rows, 48)
  assert.ok(use.calls < 24, `${use.calls} runs for 24 callers`)
  assert.equal(expertRowsWaiting, 0)
  for (const [i, results] of together.entries()) {
    const alone = await engine.runExperts({ model: 'm', loads: loads(i), priority: 'answer' })
    for (const [place, result] of results.entries()) {
      assert.equal(result.length, loads(i)[place]!.rows.length)
      result.forEach((value, at) => {
        assert.ok(Math.abs(value - alone[place]![at]!) < 1e-5)
      })
    }
  }
})

test('rows that wait for experts are bounded, and what was given up is not run', async t => {
  const { engine } = await startModel(t, { expertRowsWaitingMax: 1500 })
  const run = (signal?: AbortSignal) =>
    engine.runExperts({
      model: 'm',
      loads: [{ name: 'layer0.expert0', rows: rowsOf(700) }],
      priority: 'background',
      signal
    })
  const controller = new AbortController()
  // While an answer is written, background work piles up.
  const answer = engine.generateTokens({
    model: 'm',
    tokens: Uint32Array.of(1),
    tokensMax: 500,
    stopTokens: [],
    sampling: { temperature: 0, topP: 1, seed: '' },
    requestId: 'r'
  })
  let busy = 0
  let computed = 0
  const calls: Promise<unknown>[] = []
  for await (const _ of answer) {
    if (calls.length === 0) calls.push(assert.rejects(run(controller.signal), /gone/))
    const call = run().then(
      () => computed++,
      error => (isBlyanError(error, 'ENGINE_BUSY') ? busy++ : assert.fail(error))
    )
    calls.push(call)
    controller.abort(new Error('gone'))
    if (busy > 0) break
  }
  await Promise.all(calls)
  assert.ok(busy > 0 && computed > 0, `${busy} refused, ${computed} computed`)
  assert.equal((await statusOf(engine)).expertRowsWaiting, 0)
})

test('what is used most is prepacked within the budget, gives way to what is used more, and computes the same', async t => {
  const expertBytes = 3 * width * architecture.expertWidth * 4
  const { engine } = await startModel(t, {}, 2 * expertBytes + 300)
  const rows = rowsOf(3)
  const use = async (expert: number, times: number): Promise<Float32Array> => {
    const load = { name: `layer0.expert${expert}`, rows }
    for (let i = 1; i < times; i++) await engine.runExperts({ model: 'm', loads: [load], priority: 'answer' })
    return (await engine.runExperts({ model: 'm', loads: [load], priority: 'answer' }))[0]!
  }
  const mapped = await use(0, 1)
  await use(1, 40)
  await use(0, 40)
  await until(async () => (await statusOf(engine)).sessions.prepacked === 2)
  const before = await statusOf(engine)
  assert.ok(before.prepackedBytes > 0 && before.prepackedBytes <= before.memoryBytesMax)
  const packed = await use(0, 10)
  packed.forEach((value, i) => {
    assert.ok(Math.abs(value - mapped[i]!) < 1e-5)
  })
  const after = await statusOf(engine)
  assert.equal(after.cache.hits - before.cache.hits, 10)
  await use(2, 160)
  await until(async () => (await statusOf(engine)).cache.evictions === 1)
  await until(async () => (await statusOf(engine)).sessions.prepacked === 2)
  assert.ok((await statusOf(engine)).prepackedBytes <= before.memoryBytesMax)
})

test('sessions over mapped weights are opened when they are needed, and never too many of them', async t => {
  const { engine } = await startModel(t, { mappedSessionsMax: 3 })
  assert.deepEqual((await statusOf(engine)).sessions, { mapped: 0, prepacked: 0 })
  for (let round = 0; round < 2; round++) {
    for (let expert = 0; expert < 5; expert++) {
      const loads = [{ name: `layer0.expert${expert}`, rows: rowsOf(1) }]
      await engine.runExperts({ model: 'm', loads, priority: 'answer' })
    }
  }
  assert.deepEqual((await statusOf(engine)).sessions, { mapped: 3, prepacked: 0 })
  assert.equal((await statusOf(engine)).cache.misses, 10)
})

const onLinux = { skip: existsSync('/proc/self/maps') ? false : 'needs /proc' }

test(
  'a part that was dropped or replaced is not mapped any more once the answers that used it ended',
  onLinux,
  async t => {
    const { engine, parts } = await startModel(t)
    const part = parts.find(({ name }) => name === 'layer0.expert3')!
    const run = (): Promise<unknown> => engine.runExpert({ model: 'm', name: part.name, tokens: rowsOf(1) })
    await run()
    const maps = async (): Promise<string> => readFileSync(`/proc/${(await engine.status()).processId}/maps`, 'utf8')
    assert.ok((await maps()).includes(part.path))
    await engine.dropPart({ model: 'm', name: part.name })
    assert.ok(!(await maps()).includes(part.path))
    await engine.replacePart({ model: 'm', part })
    await run()
    const other = writePackedModel(mkdtempSync(join(dirname(part.path), 'other-')), architecture)
    await engine.replacePart({ model: 'm', part: other.parts.find(({ name }) => name === part.name)! })
    unlinkSync(part.path)
    assert.ok(!(await maps()).includes(part.path))
    await run()
  }
)

test('a hot expert becomes an executable, which a restarted engine takes again, and not if it computes something else', async t => {
  const folder = temporaryFolder(t)
  const large = { ...architecture, layers: 1, width: 64, headWidth: 8, expertWidth: 96 }
  const { parts } = writePackedModel(folder, large)
  const executables = { folder: join(folder, 'executables'), bytesMax: 1024 * 1024, fromBytes: 1 }
  const rows = Float32Array.from({ length: 2 * large.width }, (_, i) => Math.cos(i))
  const useUntilHot = async (): Promise<{ mapped: Float32Array; packed: Float32Array }> => {
    const engine = createEngine({ tensorFolder: folder, threads: 1, executables, logger: silentLogger })
    try {
      await engine.start()
      await engine.loadModel({ model: 'm', architecture: large, parts, memoryBytesMax: 1024 * 1024 })
      const run = (): Promise<Float32Array> => engine.runExpert({ model: 'm', name: 'layer0.expert1', tokens: rows })
      const mapped = await run()
      for (let i = 0; i < 40; i++) await run()
      await until(async () => (await statusOf(engine)).sessions.prepacked === 1)
      return { mapped, packed: await run() }
    } finally {
      await engine.stop()
    }
  }
  const assertSame = ({ mapped, packed }: Awaited<ReturnType<typeof useUntilHot>>): void =>
    packed.forEach((value, i) => {
      assert.ok(Math.abs(value - mapped[i]!) < 1e-5)
    })
  assertSame(await useUntilHot())
  const [name, ...others] = readdirSync(executables.folder)
  assert.deepEqual(others, [])
  assert.match(name!, /^[0-9a-f]{64}$/)
  const weights = join(executables.folder, name!, 'weights.bin')
  const made = statSync(weights)
  const bytes = readFileSync(weights)
  assertSame(await useUntilHot())
  assert.equal(statSync(weights).ino, made.ino)
  // Whoever changes it, or a disk that does: the sample tells, and it is made anew.
  writeFileSync(weights, Buffer.alloc(bytes.length, 1))
  assertSame(await useUntilHot())
  assert.deepEqual(readFileSync(weights), bytes)
})

test('the hottest for its size is packed first, and equals do not take turns', () => {
  const policy = createSessionPolicy(100)
  const session = (key: string, weightBytes: number, isPacked = false) => ({ key, weightBytes, isPacked })
  const useTimes = (key: string, times: number): void => {
    for (let i = 0; i < times; i++) policy.used(key)
  }
  useTimes('large', 4 * hotRunsMin)
  useTimes('small', 2 * hotRunsMin)
  useTimes('cold', hotRunsMin - 1)
  useTimes('never', 1000)
  const all = [session('large', 80), session('small', 10), session('cold', 1), session('never', 0)]
  assert.deepEqual(policy.next(all), { pack: 'small', giveUp: [] })
  assert.deepEqual(policy.next([session('large', 80), session('small', 10, true)]), { pack: 'large', giveUp: [] })
  const full = [session('large', 80, true), session('small', 10, true), session('rival', 80)]
  useTimes('rival', 5 * hotRunsMin)
  assert.equal(policy.next(full), undefined)
  useTimes('rival', 5 * hotRunsMin)
  assert.deepEqual(policy.next(full), { pack: 'rival', giveUp: ['large'] })
  assert.equal(policy.next([session('too large', 101)]), undefined)
})

async function startModel(
  t: TestContext,
  limits: Partial<EngineLimits> = {},
  memoryBytesMax = 0
): Promise<{ engine: Engine; parts: readonly PartFile[] }> {
  const folder = temporaryFolder(t)
  const { parts } = writePackedModel(folder, architecture)
  const engine = await startEngine(t, folder, limits)
  await engine.loadModel({ model: 'm', architecture, parts, memoryBytesMax })
  return { engine, parts }
}

async function statusOf(engine: Engine): Promise<ModelStatus> {
  return (await engine.status()).models[0]!
}
