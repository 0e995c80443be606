import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { BlyanError, type ErrorCode, isBlyanError } from '../../src/errors/index.ts'
import {
  type ArchitectureV2,
  type CallExperts,
  createEngine,
  type Engine,
  type EngineLimits,
  type GenerateTokensRequest,
  type ModelStatus,
  type PartFile,
  type RemoteExpertCall
} from '../../src/experts/index.ts'
import { silentLogger, startEngine, temporaryFolder, until, writePart } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'

const architecture: ArchitectureV2 = { ...packedArchitecture, contextTokens: 1024, precision: 'int8' }
const folder = mkdtempSync(join(tmpdir(), 'blyan-experts-'))
const { parts } = writePackedModel(folder, architecture)
let shared: Promise<Engine> | undefined
let models = 0

after(async () => {
  await (await shared)?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const prompt = (length: number, first = 1): Uint32Array =>
  Uint32Array.from({ length }, (_, i) => (first + i * 37) % architecture.vocabulary)

test('answers computed together are those computed alone', async t => {
  const started = await startModel(t)
  const asks = [1, 2, 3, 4, 5].map(i => ask(started, { tokens: prompt(i * 40, i), tokensMax: 12 + i }))
  const together = await Promise.all(asks.map(tokensOf))
  for (const [i, made] of together.entries()) {
    assert.equal(made.length, 13 + i)
    assert.deepEqual(await tokensOf(ask(started, { tokens: prompt((i + 1) * 40, i + 1), tokensMax: 13 + i })), made)
  }
  const { answers } = await statusOf(started)
  assert.deepEqual(answers, { running: 0, waiting: 0, keyValueBytes: 0 })
})

test('an answer ends with a stop token, at its limit, or where the context is full, and is drawn from the likeliest', async t => {
  const started = await startModel(t)
  const whole = await tokensOf(ask(started, { tokensMax: 20 }))
  const stop = whole[9]!
  const expected = whole.slice(0, whole.indexOf(stop) + 1)
  assert.deepEqual(await tokensOf(ask(started, { tokensMax: 20, stopTokens: [9999, stop] })), expected)
  assert.equal((await tokensOf(ask(started, { tokens: prompt(1020), tokensMax: 20 }))).length, 4)
  const sampling = { temperature: 2, topP: 1, seed: 'a' }
  const drawn = await tokensOf(ask(started, { tokensMax: 20, sampling }))
  assert.notDeepEqual(drawn, whole)
  assert.deepEqual(await tokensOf(ask(started, { tokensMax: 20, sampling })), drawn)
  // So small a share holds the likeliest token only.
  assert.deepEqual(await tokensOf(ask(started, { tokensMax: 20, sampling: { ...sampling, topP: 1e-6 } })), whole)
})

test('a long prompt does not hold up an answer that is being written', async t => {
  const started = await startModel(t)
  let written = 0
  let writtenBefore = 0
  const other = new AbortController()
  const short = ask(started, { tokensMax: 1000, signal: other.signal })
  const writing = (async () => {
    for await (const { tokens } of short) written += tokens.length
  })()
  await until(() => written > 0)
  const before = written
  for await (const _ of ask(started, { tokens: prompt(900), tokensMax: 1 })) writtenBefore = written
  // 900 tokens are read in eight steps at least, each of which writes one token of the other.
  assert.ok(writtenBefore - before >= 6, `${writtenBefore - before} tokens`)
  other.abort(new Error('enough'))
  await assert.rejects(writing, /enough/)
})

test('an answer that nobody wants any more leaves the engine, waiting or running', async t => {
  const started = await startModel(t, { limits: { answersMax: 1 } })
  const controller = new AbortController()
  const { signal } = controller
  const running = tokensOf(ask(started, { tokensMax: 1000, signal }))
  const waiting = tokensOf(ask(started, { tokensMax: 1000, signal }))
  await until(async () => (await statusOf(started)).answers.waiting === 1)
  controller.abort(new Error('gone'))
  await Promise.all([assert.rejects(running, /gone/), assert.rejects(waiting, /gone/)])
  await until(async () => (await statusOf(started)).answers.running === 0)
  assert.equal((await statusOf(started)).answers.waiting, 0)
  for await (const _ of ask(started, { tokensMax: 1000 })) break
  assert.equal((await tokensOf(ask(started, { tokensMax: 3 }))).length, 3)
})

test('answers wait for a place, as many as there may be, and the rest is refused', async t => {
  const started = await startModel(t, { limits: { answersMax: 2, answersWaitingMax: 3 } })
  const controller = new AbortController()
  let busy = 0
  const asks = Array.from({ length: 9 }, async () => {
    try {
      await tokensOf(ask(started, { tokens: prompt(20), tokensMax: 1000, signal: controller.signal }))
    } catch (error) {
      if (isBlyanError(error, 'ENGINE_BUSY')) busy++
      else assert.equal(error, controller.signal.reason)
    }
  })
  await until(() => busy >= 4)
  controller.abort(new Error('enough'))
  await Promise.all(asks)
  // One or two had begun when the others came.
  assert.ok(busy <= 5, `${busy}`)
})

test('with little memory for keys and values answers take turns, and are the same', async t => {
  const rowBytes = 2 * 4 * architecture.layers * architecture.keyValueHeads * architecture.headWidth
  const started = await startModel(t, { limits: { keyValueBytesMax: 140 * rowBytes } })
  // Each begins with room for 68 rows and comes to 79: both do not fit at once.
  const long = (first: number) => ({ tokens: prompt(4, first), tokensMax: 75 })
  const together = await Promise.all([1, 2].map(first => tokensOf(ask(started, long(first)))))
  assert.deepEqual(
    together.map(made => made.length),
    [75, 75]
  )
  for (const [i, made] of together.entries()) {
    assert.deepEqual(await tokensOf(ask(started, long(i + 1))), made)
  }
  await refusal(tokensOf(ask(started, { tokens: prompt(141) })), 'ENGINE_REQUEST_INVALID')
})

test('experts that are elsewhere are asked for, and the text is the same', async t => {
  const holder = await startModel(t)
  const calls: RemoteExpertCall[] = []
  const callExperts: CallExperts = call => {
    calls.push(call)
    const loads = call.loads.map(({ expert, rows }) => ({ name: `layer${call.layer}.expert${expert}`, rows }))
    return holder.engine.runExperts({ model: holder.model, loads, priority: 'answer', signal: call.signal })
  }
  const missing = ['layer0.expert1', 'layer1.expert0', 'layer1.expert4']
  const started = await startModel(t, { callExperts, missing })
  const texts = (from: Started): Promise<number[][]> =>
    Promise.all([1, 2, 3].map(i => tokensOf(ask(from, { tokens: prompt(150, i), tokensMax: 10, requestId: `r${i}` }))))
  const expected = await texts(holder)
  assert.deepEqual(await texts(started), expected)
  const named = new Set(calls.flatMap(call => call.loads.map(load => `layer${call.layer}.expert${load.expert}`)))
  assert.deepEqual([...named].sort(), missing)
  for (const call of calls) {
    assert.equal(call.model, started.model)
    for (const { rows, requestOfRow } of call.loads) {
      assert.equal(rows.length, requestOfRow.length * architecture.width)
      assert.ok(requestOfRow.every(request => call.requests[request] !== undefined))
    }
  }
  assert.ok(calls.some(call => call.isPrompt) && calls.some(call => !call.isPrompt))
  assert.ok(calls.some(call => call.requests.length > 1))
  const before = calls.length
  await started.engine.setElsewhere({
    model: started.model,
    experts: ['layer0.expert0', 'layer0.expert2', 'layer0.expert3']
  })
  assert.deepEqual(await texts(started), expected)
  assert.ok(calls.slice(before).some(call => call.loads.some(({ expert }) => call.layer === 0 && expert === 2)))
  const uses = (await statusOf(started)).experts
  const use = uses.find(({ name }) => name === 'layer1.expert4')!
  assert.equal(use.rowsElsewhere, use.rows)
  // Once fetched it is computed here.
  await started.engine.setElsewhere({ model: started.model, experts: [] })
  for (const name of missing) {
    await started.engine.replacePart({ model: started.model, part: holder.parts.find(part => part.name === name)! })
  }
  const asked = calls.length
  assert.deepEqual(await texts(started), expected)
  assert.equal(calls.length, asked)
  await started.engine.dropPart({ model: started.model, name: 'layer0.expert1' })
  assert.deepEqual(await texts(started), expected)
  assert.ok(calls.length > asked)
})

test('when experts cannot be had the answers that need them fail with that code, and others go on', async t => {
  const refused = new BlyanError('ENGINE_BUSY', { openRequests: 7 })
  const callExperts: CallExperts = async call => {
    if (call.requests.includes('unlucky')) throw refused
    return call.loads.map(({ rows }) => new Float32Array(rows.length))
  }
  const started = await startModel(t, { callExperts, missing: ['layer0.expert1'] })
  const alone = await tokensOf(ask(started, { tokens: prompt(30, 2), tokensMax: 80, requestId: 'lucky' }))
  const lucky = tokensOf(ask(started, { tokens: prompt(30, 2), tokensMax: 80, requestId: 'lucky' }))
  await until(async () => (await statusOf(started)).answers.running === 1)
  const unlucky = tokensOf(ask(started, { tokens: prompt(100), tokensMax: 100, requestId: 'unlucky' }))
  await assert.rejects(
    unlucky,
    error => isBlyanError(error, 'ENGINE_BUSY') && String(error.payload.openRequests) === '7'
  )
  const outcome = await Promise.allSettled([lucky])
  // Rows of both may have been in one call, which then failed for both.
  if (outcome[0]!.status === 'fulfilled') assert.deepEqual(outcome[0]!.value, alone)
  else assert.ok(isBlyanError(outcome[0]!.reason, 'ENGINE_BUSY'))
  const lone = await startModel(t, { missing: ['layer0.expert1'] })
  await refusal(tokensOf(ask(lone, { tokens: prompt(100) })), 'PART_NOT_LOADED')
})

test('a call to others ends when nobody needs it any more, and when the engine dies', async t => {
  const signals: AbortSignal[] = []
  const callExperts: CallExperts = ({ signal }) =>
    new Promise((_, reject) => {
      signals.push(signal)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  const started = await startModel(t, { callExperts, missing: ['layer0.expert1'], limits: {} })
  const controller = new AbortController()
  const first = tokensOf(ask(started, { tokens: prompt(100), signal: controller.signal }))
  await until(() => signals.length === 1)
  controller.abort(new Error('gone'))
  await assert.rejects(first, /gone/)
  await until(() => signals[0]!.aborted)
  const second = tokensOf(ask(started, { tokens: prompt(100) }))
  await until(() => signals.length === 2)
  process.kill((await started.engine.status()).processId!, 'SIGKILL')
  await refusal(second, 'ENGINE_LOST')
  await until(() => signals[1]!.aborted)
})

test('requests that make no sense are refused with a code', async t => {
  const started = await startModel(t)
  const refused = (change: Partial<GenerateTokensRequest>): Promise<void> =>
    refusal(tokensOf(ask(started, change)), 'ENGINE_REQUEST_INVALID')
  await refused({ tokens: new Uint32Array(0) })
  await refused({ tokens: prompt(1025) })
  await refused({ tokens: Uint32Array.of(300) })
  await refused({ tokensMax: 0 })
  await refused({ tokensMax: 1e9 })
  await refused({ sampling: { temperature: 1, topP: 0, seed: '' } })
  await refused({ sampling: { temperature: Number.NaN, topP: 1, seed: '' } })
  await refusal(started.engine.setElsewhere({ model: started.model, experts: ['layer0.router'] }), 'PART_UNKNOWN')
  await refusal(started.engine.dropPart({ model: started.model, name: 'nothing' }), 'PART_UNKNOWN')
  const part = writePart(temporaryFolder(t), 'layer0.expert0', [3], new Float32Array(3))
  await refusal(started.engine.replacePart({ model: started.model, part }), 'PART_FILE_INVALID')
})

type Setting = {
  readonly callExperts?: CallExperts
  readonly missing?: readonly string[]
  readonly limits?: Partial<EngineLimits>
}

type Started = { readonly engine: Engine; readonly model: string; readonly parts: readonly PartFile[] }

/** One engine, and a model of its own for each test; tests that need other limits or that kill it get another one. */
async function startModel(t: TestContext, { callExperts, missing = [], limits }: Setting = {}): Promise<Started> {
  const engine = limits === undefined ? await sharedEngine() : await startEngine(t, folder, limits)
  const model = `m${models++}`
  const here = parts.filter(({ name }) => !missing.includes(name))
  await engine.loadModel({ model, architecture, parts: here, callExperts, memoryBytesMax: 0 })
  return { engine, model, parts }
}

function sharedEngine(): Promise<Engine> {
  shared ??= (async () => {
    const engine = createEngine({ tensorFolder: folder, threads: 1, logger: silentLogger, limits: { backOffMs: 10 } })
    await engine.start()
    return engine
  })()
  return shared
}

async function statusOf({ engine, model }: Started): Promise<ModelStatus> {
  return (await engine.status()).models.find(status => status.model === model)!
}

function ask(started: Started, change: Partial<GenerateTokensRequest>): ReturnType<Engine['generateTokens']> {
  return started.engine.generateTokens({
    model: started.model,
    tokens: prompt(20),
    tokensMax: 5,
    stopTokens: [],
    sampling: { temperature: 0, topP: 1, seed: '' },
    requestId: 'r',
    ...change
  })
}

async function tokensOf(stream: AsyncIterable<{ readonly tokens: Uint32Array }>): Promise<number[]> {
  const made: number[] = []
  for await (const { tokens } of stream) made.push(...tokens)
  return made
}

async function refusal(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(
    promise,
    error => isBlyanError(error) && assert.equal(error.code, code, error.message) === undefined
  )
}
