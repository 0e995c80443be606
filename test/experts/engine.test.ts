import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ErrorCode, isBlyanError } from '../../src/errors/index.ts'
import { type Engine, genesisArchitecture, probeDevice } from '../../src/experts/index.ts'
import {
  collect,
  dataOffsetBytes,
  silentLogger,
  smallArchitecture,
  startEngine,
  temporaryFolder,
  until,
  writeModel,
  writePart
} from './model-folder.ts'
import { referenceExpert, referenceLoss } from './reference-model.ts'

const onLinux = { skip: existsSync('/proc/self/smaps') ? false : 'needs /proc' }
const text = new TextEncoder().encode('No central server. One daemon, many peers; what is final is final. '.repeat(40))

test('the untrained genesis model loses about ln 256 nats a byte', async t => {
  const { engine } = await startModel(t, genesisArchitecture('genesis'), 1)
  const { lossNatsPerByte, scoredBytes } = await engine.evaluate({ model: 'm', bytes: text })
  assert.ok(Math.abs(lossNatsPerByte - Math.log(256)) < 0.1, `${lossNatsPerByte}`)
  assert.equal(scoredBytes, text.length - Math.ceil(text.length / 256))
})

test('the loss is the reference loss, with and without one part replaced for this once', async t => {
  const { engine, folder, parameters } = await startModel(t)
  const window = text.subarray(0, 16)
  const near = async (
    expected: number,
    replacement?: Parameters<Engine['evaluate']>[0]['replacement']
  ): Promise<void> => {
    const { lossNatsPerByte } = await engine.evaluate({ model: 'm', bytes: window, replacement })
    assert.ok(Math.abs(lossNatsPerByte / expected - 1) < 1e-4, `${lossNatsPerByte} is not ${expected}`)
  }
  const data = parameters.get('layer0.attention')!.map(value => value * 1.5)
  const other = writePart(folder, 'layer0.attention', [74, 24], data, 'other')
  const before = referenceLoss(smallArchitecture, parameters, window)
  const after = referenceLoss(smallArchitecture, new Map(parameters).set('layer0.attention', data), window)
  assert.ok(Math.abs(before - after) > 0.01)
  await near(before)
  await near(after, other)
  await near(before)
  await engine.replacePart({ model: 'm', part: other })
  await near(after)
})

test('a part that holds no numbers costs infinity, and an expert is computed as defined', async t => {
  const { engine, folder, parameters } = await startModel(t)
  const name = 'layer1.expert2'
  const rows = Float32Array.from({ length: 3 * 24 }, (_, i) => Math.sin(i))
  const results = await engine.runExpert({ model: 'm', name, tokens: rows })
  for (let row = 0; row < 3; row++) {
    const expected = referenceExpert(smallArchitecture, parameters.get(name)!, [
      ...rows.subarray(row * 24, row * 24 + 24)
    ])
    expected.forEach((value, i) => {
      assert.ok(Math.abs(value - results[row * 24 + i]!) < 1e-4)
    })
  }
  const nothing = writePart(folder, 'embedding', [257, 24], new Float32Array(257 * 24).fill(Number.NaN), 'nothing')
  const { lossNatsPerByte } = await engine.evaluate({ model: 'm', bytes: text.subarray(0, 40), replacement: nothing })
  assert.equal(lossNatsPerByte, Number.POSITIVE_INFINITY)
})

test('an answer is streamed, repeatable by seed, and can be left early or aborted', async t => {
  const { engine } = await startModel(t)
  const ask = (seed: string, tokensMax = 40, signal?: AbortSignal): AsyncIterable<Uint8Array> =>
    engine.generate({ model: 'm', prompt: text.subarray(0, 9), tokensMax, temperature: 1, seed, signal })
  const answer = await collect(ask('a'))
  assert.equal(answer.length, 40)
  assert.deepEqual(await collect(ask('a')), answer)
  assert.notDeepEqual(await collect(ask('b')), answer)
  for await (const _ of ask('a', 60_000)) break
  const abort = new AbortController()
  setTimeout(() => abort.abort(new Error('enough')), 30)
  await assert.rejects(collect(ask('a', 60_000, abort.signal)), /enough/)
  // Both long answers have ended inside the engine too, or this would take minutes.
  assert.deepEqual(await collect(ask('a')), answer)
})

test('an evaluation lets a prompt in between', async t => {
  const { engine } = await startModel(t, genesisArchitecture('genesis'), 1)
  let evaluated = false
  const evaluation = engine.evaluate({ model: 'm', bytes: text }).then(() => (evaluated = true))
  await collect(engine.generate({ model: 'm', prompt: text.subarray(0, 3), tokensMax: 4, temperature: 0, seed: '' }))
  assert.equal(evaluated, false)
  await evaluation
})

test('an engine killed in mid-request loses that request, and the next one works again', async t => {
  const { engine } = await startModel(t)
  const long = engine.evaluate({ model: 'm', bytes: Buffer.concat(Array<Uint8Array>(40).fill(text)) })
  const answer = collect(engine.generate({ model: 'm', prompt: text, tokensMax: 60_000, temperature: 0, seed: '' }))
  setTimeout(async () => process.kill((await engine.status()).processId!, 'SIGKILL'), 60)
  await Promise.all([refusal(long, 'ENGINE_LOST'), refusal(answer, 'ENGINE_LOST')])
  assert.equal((await engine.evaluate({ model: 'm', bytes: text.subarray(0, 20) })).scoredBytes, 18)
  const status = await engine.status()
  assert.deepEqual([status.state, status.restarts, status.models.length], ['running', 1, 1])
})

test('an engine that dies again and again is given up, and can be started anew', async t => {
  const engine = await startEngine(t, temporaryFolder(t), { restartsMax: 1 })
  for (let i = 0; i < 2; i++) {
    const { processId } = await engine.status()
    process.kill(processId!, 'SIGKILL')
    await until(async () => {
      const status = await engine.status()
      return status.state === 'failed' || (status.state === 'running' && status.processId !== processId)
    })
  }
  await refusal(engine.loadModel({ model: 'm', architecture: smallArchitecture, parts: [] }), 'ENGINE_FAILED')
  await engine.start()
  assert.equal((await engine.status()).state, 'running')
})

test('a file that cannot hold its part is refused before it is mapped', async t => {
  const { engine, folder, parts } = await startModel(t)
  const part = parts.find(({ name }) => name === 'layer0.expert0')!
  const refused = (change: Partial<typeof part>): Promise<void> =>
    refusal(engine.replacePart({ model: 'm', part: { ...part, ...change } }), 'PART_FILE_INVALID')
  const short = writePart(folder, part.name, part.shape, new Float32Array(3 * 24 * 10), 'short')
  truncateSync(short.path, dataOffsetBytes + short.dataLengthBytes - 1)
  mkdirSync(join(folder, 'a-folder'))
  symlinkSync('/etc/hostname', join(folder, 'a-link'))
  await refused({ path: short.path })
  await refused({ dataOffsetBytes: -4 })
  await refused({ dataOffsetBytes: dataOffsetBytes + 4 })
  await refused({ shape: [3, 10, 24] })
  await refused({ dataLengthBytes: part.dataLengthBytes - 4 })
  await refused({ path: join(folder, 'absent') })
  await refused({ path: join(folder, 'a-folder') })
  await refused({ path: join(folder, 'a-link') })
  await refused({ path: '/etc/hostname' })
  await refusal(engine.replacePart({ model: 'm', part: { ...part, name: 'layer9.expert0' } }), 'PART_UNKNOWN')
  assert.equal((await engine.status()).restarts, 0)
})

test('a file truncated while mapped costs the engine process only, and is refused until it is whole again', async t => {
  const { engine, parts, folder, parameters } = await startModel(t)
  const loss = async (): Promise<number> =>
    (await engine.evaluate({ model: 'm', bytes: text.subarray(0, 20) })).lossNatsPerByte
  const whole = await loss()
  const part = parts.find(({ name }) => name === 'embedding')!
  truncateSync(part.path, 4096)
  await refusal(loss(), 'ENGINE_LOST')
  const namesPart = (error: unknown): boolean =>
    isBlyanError(error, 'PART_FILE_INVALID') && error.payload.part === 'embedding'
  await assert.rejects(loss(), namesPart)
  await assert.rejects(loss(), namesPart)
  const again = writePart(folder, part.name, part.shape, parameters.get(part.name)!, 'again')
  await engine.replacePart({ model: 'm', part: again })
  assert.equal(await loss(), whole)
  assert.equal((await engine.status()).restarts, 1)
})

test('a file truncated before it was ever mapped costs nothing, and one that is dropped is not missed elsewhere', async t => {
  const { engine, parts } = await startModel(t)
  const part = parts.find(({ name }) => name === 'layer1.expert2')!
  truncateSync(part.path, 4096)
  const rows = new Float32Array(24).fill(1)
  await refusal(engine.runExpert({ model: 'm', name: part.name, tokens: rows }), 'PART_FILE_INVALID')
  process.kill((await engine.status()).processId!, 'SIGKILL')
  await until(async () => (await engine.status()).restarts === 1)
  await refusal(engine.runExpert({ model: 'm', name: 'layer1.expert1', tokens: rows }), 'PART_FILE_INVALID')
  await engine.dropPart({ model: 'm', name: part.name })
  assert.equal((await engine.runExpert({ model: 'm', name: 'layer1.expert1', tokens: rows })).length, 24)
  await refusal(engine.runExpert({ model: 'm', name: part.name, tokens: rows }), 'PART_NOT_LOADED')
})

test('requests that make no sense are refused with a code', async t => {
  const { engine } = await startModel(t)
  const prompt = text.subarray(0, 3)
  const generate = (change: object): Promise<void> =>
    refusal(
      collect(engine.generate({ model: 'm', prompt, tokensMax: 3, temperature: 0, seed: '', ...change })),
      'ENGINE_REQUEST_INVALID'
    )
  await generate({ prompt: new Uint8Array(0) })
  await generate({ temperature: Number.NaN })
  await generate({ tokensMax: 1e9 })
  await generate({ tokensMax: 1.5 })
  await refusal(engine.evaluate({ model: 'm', bytes: text.subarray(0, 1) }), 'ENGINE_REQUEST_INVALID')
  await refusal(
    engine.runExpert({ model: 'm', name: 'layer0.expert0', tokens: new Float32Array(7) }),
    'ENGINE_REQUEST_INVALID'
  )
  await refusal(engine.runExpert({ model: 'm', name: 'layer0.router', tokens: new Float32Array(24) }), 'PART_UNKNOWN')
  await refusal(engine.evaluate({ model: 'other', bytes: text }), 'MODEL_NOT_LOADED')
  await engine.release({ model: 'm' })
  await refusal(engine.evaluate({ model: 'm', bytes: text }), 'MODEL_NOT_LOADED')
  await engine.stop()
  await refusal(engine.loadModel({ model: 'm', architecture: smallArchitecture, parts: [] }), 'ENGINE_STOPPED')
})

test('open requests are bounded', async t => {
  const { engine } = await startModel(t, smallArchitecture, 4, { openRequestsMax: 2 })
  const evaluate = (): Promise<unknown> => engine.evaluate({ model: 'm', bytes: text.subarray(0, 400) })
  const outcomes = await Promise.allSettled([evaluate(), evaluate(), evaluate()])
  const refused = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
  assert.equal(refused.length, 1)
  assert.ok(isBlyanError(refused[0], 'ENGINE_BUSY'))
})

test('a daemon killed with SIGKILL leaves no engine behind', onLinux, async t => {
  const script = fileURLToPath(new URL('./orphan-parent.ts', import.meta.url))
  const parent = spawn(process.execPath, [script, temporaryFolder(t)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(parent.stdout), 'line')
  const processId = Number(line)
  assert.ok(isAlive(processId))
  parent.kill('SIGKILL')
  await until(() => !isAlive(processId))
})

test('weights are mapped, not copied', onLinux, async t => {
  const architecture = { ...smallArchitecture, width: 768, heads: 6, headWidth: 128, expertWidth: 8192 }
  const folder = temporaryFolder(t)
  const shape = [3, 768, 8192]
  const part = writePart(folder, 'layer0.expert0', shape, new Float32Array(3 * 768 * 8192).fill(0.001))
  const engine = await startEngine(t, folder)
  const processId = (await engine.status()).processId!
  const before = memoryOf(processId, part.path)
  await engine.loadModel({ model: 'm', architecture, parts: [part] })
  await engine.runExpert({ model: 'm', name: part.name, tokens: new Float32Array(768).fill(1) })
  const after = memoryOf(processId, part.path)
  const mebibyte = 1024 * 1024
  assert.ok(
    after.mappedBytes >= part.dataLengthBytes,
    `${after.mappedBytes} of ${part.dataLengthBytes} bytes are mapped`
  )
  assert.equal(after.mappedCopiedBytes, 0)
  assert.ok(
    after.anonymousBytes - before.anonymousBytes < 24 * mebibyte,
    `${after.anonymousBytes - before.anonymousBytes} bytes`
  )
})

test('this process, which ran engines all along, never loaded ONNX Runtime', onLinux, () => {
  assert.ok(!readFileSync('/proc/self/maps', 'utf8').includes('onnxruntime'))
})

test('the device probe names a working device and says why others are not', async () => {
  const probe = await probeDevice({ threads: 1, logger: silentLogger })
  assert.deepEqual(
    probe.reasons.map(({ provider }) => provider),
    ['cuda', 'webgpu', 'cpu']
  )
  assert.ok(probe.reasons.every(({ reason }) => reason.length > 0))
  assert.ok(probe.reasons.at(-1)!.ok)
  assert.ok(probe.gigaflopsPerSecond > 1 && probe.memoryBytes !== 0 && probe.name.length > 0)
})

async function startModel(t: TestContext, architecture = smallArchitecture, factor = 4, limits = {}) {
  const folder = temporaryFolder(t)
  const model = writeModel(folder, architecture, factor)
  const engine = await startEngine(t, folder, limits)
  const load = await engine.loadModel({ model: 'm', architecture, parts: model.parts })
  assert.equal(load.parts, model.parts.length)
  return { ...model, engine, folder }
}

async function refusal(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(
    promise,
    error => isBlyanError(error) && assert.equal(error.code, code, error.message) === undefined
  )
}

/** A process that ended but was not yet waited for is not alive. */
function isAlive(processId: number): boolean {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${processId}/stat`, 'utf8'))
  } catch {
    return false
  }
}

function memoryOf(
  processId: number,
  path: string
): { mappedBytes: number; mappedCopiedBytes: number; anonymousBytes: number } {
  const found = { mappedBytes: 0, mappedCopiedBytes: 0, anonymousBytes: 0 }
  let isPart = false
  for (const line of readFileSync(`/proc/${processId}/smaps`, 'utf8').split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) isPart = line.endsWith(path)
    const [, field, kibibytes] = /^(\w+):\s+(\d+) kB/.exec(line) ?? []
    const bytes = Number(kibibytes) * 1024
    if (field === 'Size' && isPart) found.mappedBytes += bytes
    if (field === 'Anonymous' && isPart) found.mappedCopiedBytes += bytes
    if (field === 'Anonymous') found.anonymousBytes += bytes
  }
  return found
}
