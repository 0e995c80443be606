import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseDevice, type ProviderReason, whyText } from '../../src/experts/devices/device-probe.ts'
import { scoreDevice } from '../../src/experts/devices/device-score.ts'
import { createEngine, type Provider, probeDevice } from '../../src/experts/index.ts'
import { silentLogger, smallArchitecture, temporaryFolder, writeModel } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'
import { batchesFrom, batchOf, settings, trainSteps } from './training-model.ts'

const gibibyte = 2 ** 30

test('devices get the tiers that the seed gives as examples', () => {
  const cards = [
    ['6 GB card of 2016', 6, 4.4, 15.8, 1],
    ['24 GB card of 2020', 24, 35.6, 31.5, 8],
    ['24 GB card of 2022', 24, 82.6, 31.5, 9],
    ['processor', 0, 0.06, 8.6, 0]
  ] as const
  for (const [name, memory, teraflopsPerSecond, gigabytes, tier] of cards) {
    const figures = { videoMemoryBytes: memory * gibibyte, teraflopsPerSecond, transferBytesPerSecond: gigabytes * 1e9 }
    assert.equal(scoreDevice(figures).tier, tier, name)
  }
  assert.equal(
    scoreDevice({ videoMemoryBytes: gibibyte, teraflopsPerSecond: 1, transferBytesPerSecond: 1e9 }).score,
    2.7
  )
})

const reason = (provider: Provider, gigaflopsPerSecond: number | null, text = ''): ProviderReason => ({
  provider,
  ok: gigaflopsPerSecond !== null,
  reason: text,
  gigaflopsPerSecond,
  transferBytesPerSecond: gigaflopsPerSecond === null ? null : 1e9
})

test('the first device that works and is not slower than the processor is taken, and it is said why', () => {
  const chosen = (cuda: number | null, webgpu: number | null, cpu: number | null) =>
    chooseDevice([reason('cuda', cuda), reason('webgpu', webgpu), reason('cpu', cpu)])?.provider
  assert.equal(chosen(500, 400, 50), 'cuda')
  assert.equal(chosen(null, 400, 50), 'webgpu')
  assert.equal(chosen(null, 2, 50), 'cpu')
  assert.equal(chosen(null, 2, null), 'webgpu')
  assert.equal(chosen(null, null, null), undefined)
  const reasons = [
    reason('cuda', null, 'no card'),
    reason('webgpu', 2, '2.0 GFLOP/s'),
    reason('cpu', 50, '50.0 GFLOP/s')
  ]
  assert.equal(
    whyText(reasons[2], reasons),
    'cpu: 50.0 GFLOP/s; not cuda: no card; not webgpu: slower than the processor, 2.0 GFLOP/s'
  )
  assert.equal(whyText(undefined, reasons.slice(0, 1)), 'nothing works here; not cuda: no card')
})

const probe = await probeDevice({ threads: 1, logger: silentLogger, timeoutMs: 60_000 })

test('what a probe finds has figures, a score made of them, and a reason for every device it passes over', () => {
  const { provider, score, tier, gigaflopsPerSecond, transferBytesPerSecond, why } = probe
  assert.ok(provider !== null && gigaflopsPerSecond > 0 && transferBytesPerSecond > 0)
  assert.ok(score > 0 && tier >= 0 && tier <= 9)
  assert.ok(why.startsWith(`${provider}: `))
  for (const { provider: other, ok, reason: text } of probe.reasons)
    assert.ok(text.length > 0 && (ok || why.includes(`not ${other}: ${text}`)), other)
})

const webgpu = probe.reasons.find(({ provider }) => provider === 'webgpu')!
const skip = webgpu.ok ? false : `WebGPU does not work here: ${webgpu.reason}`

test('WebGPU answers as the processor does', { skip, timeout: 120_000 }, async t => {
  for (const precision of ['fp32', 'int8'] as const) {
    const architecture = { ...packedArchitecture, precision }
    const folder = temporaryFolder(t)
    const { parts } = writePackedModel(folder, architecture)
    const ask = async (device: Provider) => {
      const engine = createEngine({ tensorFolder: folder, threads: 1, device, logger: silentLogger })
      t.after(() => engine.stop())
      await engine.start()
      await engine.loadModel({ model: 'm', architecture, parts })
      const tokens = Uint32Array.from({ length: 24 }, (_, i) => (i * 37) % architecture.vocabulary)
      const { lossNatsPerToken } = await engine.evaluateTokens({ model: 'm', tokens })
      const rows = Float32Array.from({ length: 2 * architecture.width }, (_, i) => Math.sin(i))
      const [result] = await engine.runExperts({
        model: 'm',
        loads: [{ name: 'layer0.expert1', rows }],
        priority: 'answer'
      })
      await engine.stop()
      return { lossNatsPerToken, result: result! }
    }
    const [cpu, gpu] = [await ask('cpu'), await ask('webgpu')]
    // A graphics device turns int8 weights into floats, a processor rounds the rows to int8 too.
    const tolerance = precision === 'fp32' ? 1e-4 : 0.02
    assert.ok(
      Math.abs(cpu.lossNatsPerToken / gpu.lossNatsPerToken - 1) < tolerance,
      `${precision}: ${cpu.lossNatsPerToken} and ${gpu.lossNatsPerToken}`
    )
    const largest = Math.max(...cpu.result.map(Math.abs))
    const error = Math.max(...cpu.result.map((value, i) => Math.abs(value - gpu.result[i]!))) / largest
    t.diagnostic(`${precision}: results differ by ${error.toExponential(1)}`)
    assert.ok(error < tolerance, `${precision}: ${error}`)
  }
})

test('WebGPU trains as the processor does', { skip, timeout: 120_000 }, async t => {
  const folder = temporaryFolder(t)
  const architecture = { ...smallArchitecture, layers: 1, experts: 3 }
  const { parts } = writeModel(folder, architecture)
  const train = async (device: Provider) => {
    // A software driver takes long to translate the first run of a graph, during which the engine is silent.
    const limits = { requestTimeoutMs: 110_000 }
    const engine = createEngine({ tensorFolder: folder, threads: 1, device, logger: silentLogger, limits })
    t.after(() => engine.stop())
    await engine.start()
    const request = { model: 'm', architecture, parts, trained: 'all', settings } as const
    const training = await engine.openTraining(request)
    const steps = await trainSteps(training, batchesFrom(0, 6))
    const changes = await training.delta()
    const scores = await training.score({ tokens: batchOf(9), changes })
    await engine.stop()
    return { norm: steps[0]!.gradientNorm, losses: steps.map(({ lossNats }) => lossNats), scores: [...scores] }
  }
  const [cpu, gpu] = [await train('cpu'), await train('webgpu')]
  const figures = ({ norm, losses, scores }: typeof cpu): number[] => [norm, ...losses, ...scores]
  const differences = figures(gpu).map((value, i) => Math.abs(value / figures(cpu)[i]! - 1))
  t.diagnostic(`losses, scores and the first norm differ by ${Math.max(...differences).toExponential(1)}`)
  assert.ok(Math.max(...differences) < 1e-3, differences.join())
  assert.ok(cpu.losses.at(-1)! < cpu.losses[0]!)
})
