import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createEngine, type OpenTrainingRequest, type Training } from '../../src/experts/index.ts'
import { collect, silentLogger, smallArchitecture, until, writeModel, writePart } from './model-folder.ts'
import { batchesFrom, batchOf, bitsOf, refusal, settings, trainSteps } from './training-model.ts'

// One engine for all tests: trainings of one kind share its sessions, which take longer to open than to run here.
const folder = mkdtempSync(join(tmpdir(), 'blyan-training-'))
const { parts, parameters } = writeModel(folder, smallArchitecture)
const engine = createEngine({ tensorFolder: folder, threads: 2, logger: silentLogger, limits: { backOffMs: 10 } })
after(async () => {
  await engine.stop()
  rmSync(folder, { recursive: true, force: true })
})
await engine.start()
await engine.loadModel({ model: 'served', architecture: smallArchitecture, parts })

function open(change: Partial<OpenTrainingRequest> = {}): Promise<Training> {
  return engine.openTraining({
    model: 'm',
    architecture: smallArchitecture,
    parts,
    trained: 'all',
    settings,
    ...change
  })
}

const held = batchOf(100)
const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length
/** Stays open, so that others of its kind need no session of their own. */
const first = await open()

test('steps make the loss smaller, and base plus delta is what was trained', async () => {
  const steps = await trainSteps(first, batchesFrom(0, 40))
  assert.deepEqual(
    steps.map(({ step }) => step),
    Array.from({ length: 40 }, (_, i) => i + 1)
  )
  assert.ok(Math.abs(steps[0]!.lossNats - Math.log(256)) < 0.2, `${steps[0]!.lossNats}`)
  assert.ok(steps.at(-1)!.lossNats < 4.5, `${steps.at(-1)!.lossNats}`)
  for (const { tokens, gradientNorm, runtimeMs, elapsedMs } of steps) {
    assert.ok(tokens === 24 && gradientNorm > 0 && runtimeMs < elapsedMs)
  }
  const changes = await first.delta()
  assert.deepEqual(
    [...changes.keys()],
    parts.map(({ name }) => name)
  )
  const before = await first.score({ tokens: held })
  const trained = await first.score({ tokens: held, changes })
  assert.equal(before.length, 3)
  assert.ok(mean(trained) < mean(before) - 0.7, `${mean(before)} and ${mean(trained)}`)
  // What was added is gone again.
  assert.deepEqual(await first.score({ tokens: held }), before)
})

test('a rate that cools down is the same before, smaller then, and nothing in the end', async () => {
  const cooling = await open({ settings: { ...settings, coolDown: { fromStep: 2, toStep: 4 } } })
  const steady = await open()
  const after = async (training: Training, number: number): Promise<string> => {
    await trainSteps(training, batchesFrom(number, 1))
    return [...bitsOf(await training.delta()).values()].join()
  }
  const of = async (training: Training): Promise<string[]> => {
    const all: string[] = []
    for (let number = 0; number < 5; number++) all.push(await after(training, number))
    return all
  }
  const [cooled, same] = [await of(cooling), await of(steady)]
  assert.ok(cooled.slice(0, 3).every((bits, at) => bits === same[at]))
  assert.ok(cooled[3] !== same[3] && cooled[3] !== cooled[2])
  assert.ok(cooled[4] === cooled[3] && same[4] !== same[3])
  for (const training of [cooling, steady]) await training.close()
})

test('a score is the loss that the serving graphs find, also of parts that stand in for base parts', async () => {
  const training = await open({ trained: 'none' })
  const base = parameters.get('layer1.attention')!
  const values = base.map(value => value * 3)
  const other = writePart(folder, 'layer1.attention', [74, 24], values, 'other')
  const sequence = held.subarray(0, 9)
  for (const replacement of [undefined, other]) {
    const [score] = await training.score({ tokens: sequence, parts: replacement && [replacement] })
    const served = await engine.evaluateTokens({ model: 'served', tokens: sequence, replacement })
    assert.ok(Math.abs(score! - served.lossNatsPerToken) < 1e-4, `${score} and ${served.lossNatsPerToken}`)
  }
  const difference = new Map([['layer1.attention', values.map((value, i) => value - base[i]!)]])
  const added = await training.score({ tokens: held, changes: difference })
  const replaced = await training.score({ tokens: held, parts: [other] })
  assert.ok(added.every((loss, i) => Math.abs(loss - replaced[i]!) < 1e-5))
  await refusal(trainSteps(training, batchesFrom(0, 1)), 'ENGINE_REQUEST_INVALID')
  await training.close()
})

test('runs of few sequences come to the gradient of the whole batch', async () => {
  const found = []
  for (const sequencesPerRun of [3, 2, 1]) {
    const training = await open({ settings: { ...settings, balance: 0, zLoss: 0, sequencesPerRun } })
    const [step] = await trainSteps(training, batchesFrom(0, 1))
    found.push({ step: step!, router: (await training.delta()).get('layer0.router')! })
    await training.close()
  }
  const [whole, ...cut] = found
  for (const { step, router } of cut) {
    assert.ok(Math.abs(step.lossNats / whole!.step.lossNats - 1) < 1e-6)
    assert.ok(Math.abs(step.gradientNorm / whole!.step.gradientNorm - 1) < 1e-5, `${step.gradientNorm}`)
    // The first step of AdamW is about as long whatever the gradient is, so only its direction can differ.
    const agree = router.filter((value, i) => Math.sign(value) === Math.sign(whole!.router[i]!)).length
    assert.ok(agree > router.length * 0.98, `${agree} of ${router.length}`)
  }
})

test('a new base keeps what was trained, or starts from it, and a checkpoint of an old base is rebased', async () => {
  const path = join(folder, 'old-base')
  const training = await open()
  await trainSteps(training, batchesFrom(0, 5))
  await training.save(path)
  const delta = await training.delta()
  const name = 'layer0.expert1'
  const values = parameters.get(name)!.map((value, i) => value + Math.sin(i) / 8)
  const newer = writePart(folder, name, [3, 24, 10], values, 'newer')
  const near = (found: ReadonlyMap<string, Float32Array>): void => {
    const wanted = delta.get(name)!
    assert.ok(found.get(name)!.every((value, i) => Math.abs(value - wanted[i]!) < 1e-6))
    assert.deepEqual(found.get('layer0.router'), delta.get('layer0.router'))
  }
  await training.rebase({ parts: [newer], keep: true })
  near(await training.delta())
  const direct = await training.score({ tokens: held })
  const resumed = await open({ parts: parts.map(part => (part.name === name ? newer : part)), resume: path })
  assert.equal(resumed.step, 5)
  near(await resumed.delta())
  assert.deepEqual(await resumed.score({ tokens: held }), direct)
  await training.rebase({ parts: [newer], keep: false })
  assert.ok([...(await training.delta()).values()].every(values => values.every(value => value === 0)))
  assert.deepEqual(await training.score({ tokens: held }), direct)
  // Moments stay: the first step from here is not that of a new training.
  const [step] = await trainSteps(training, batchesFrom(5, 1))
  assert.equal(step!.step, 6)
  await Promise.all([training.close(), resumed.close()])
})

test('of one expert only that expert and its router change', async () => {
  const training = await open({ trained: ['layer1.expert2', 'layer1.router'] })
  const [step] = await trainSteps(training, batchesFrom(0, 3))
  assert.ok(step!.gradientNorm > 0)
  const delta = await training.delta()
  assert.deepEqual([...delta.keys()], ['layer1.router', 'layer1.expert2'])
  assert.ok([...delta.values()].every(values => values.some(value => value !== 0)))
  await training.close()
})

test('an aborted step changes nothing, and what was yielded is what was trained', async () => {
  const training = await open()
  const reason = new Error('enough')
  const abort = new AbortController()
  let made = 0
  const train = async (): Promise<void> => {
    for await (const { step } of training.train({ batches: batchesFrom(0, 1000), signal: abort.signal })) {
      made = step
      if (step === 3) setImmediate(() => abort.abort(reason))
    }
  }
  await assert.rejects(train(), error => error === reason)
  assert.equal(training.step, made)
  for await (const { step } of training.train({ batches: batchesFrom(made, 1000) })) if (step === made + 2) break
  assert.equal(training.step, made + 2)
  const plain = await open()
  await trainSteps(plain, batchesFrom(0, made + 2))
  assert.deepEqual(bitsOf(await training.delta()), bitsOf(await plain.delta()))
  const never = async function* (): AsyncGenerator<Uint32Array> {
    await new Promise(() => {})
  }
  await assert.rejects(async () => {
    for await (const _ of training.train({ batches: never(), signal: AbortSignal.timeout(20) }));
  }, /timeout/i)
  await Promise.all([training.close(), plain.close()])
})

test('a prompt is answered while a training goes on', async () => {
  const training = await open()
  const abort = new AbortController()
  const trained = trainSteps(training, batchesFrom(0, 100_000), abort.signal)
  await until(() => training.step > 0)
  const prompt = Uint8Array.of(1, 2, 3)
  const answer = await collect(engine.generate({ model: 'served', prompt, tokensMax: 4, temperature: 0, seed: '' }))
  assert.equal(answer.length, 4)
  const stepThen = training.step
  await until(() => training.step > stepThen)
  abort.abort(new Error('seen'))
  await assert.rejects(trained, /seen/)
  await training.close()
})

test('with its process a training is lost, and goes on from its checkpoint to the bit in the next one', async () => {
  const path = join(folder, 'checkpoint')
  const training = await open()
  await trainSteps(training, batchesFrom(0, 3))
  await training.save(path)
  const went = await trainSteps(training, batchesFrom(3, 3))
  const wanted = bitsOf(await training.delta())
  const going = trainSteps(training, batchesFrom(6, 100_000))
  await until(() => training.step > 6)
  process.kill((await engine.status()).processId!, 'SIGKILL')
  await refusal(going, 'ENGINE_LOST')
  await refusal(training.delta(), 'ENGINE_LOST')
  const resumed = await open({ resume: path })
  assert.equal(resumed.step, 3)
  const again = await trainSteps(resumed, batchesFrom(3, 3))
  const losses = (steps: typeof went) => steps.map(({ step, lossNats, gradientNorm }) => [step, lossNats, gradientNorm])
  assert.deepEqual(losses(again), losses(went))
  assert.deepEqual(bitsOf(await resumed.delta()), wanted)
})
