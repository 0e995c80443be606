import assert from 'node:assert/strict'
import { truncateSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { isBlyanError } from '../../src/errors/index.ts'
import { openTileKernel } from '../../src/experts/engine/tile-kernel.ts'
import { openFileSource } from '../../src/experts/engine/tile-source.ts'
import { type Architecture, describeModel, type PartFile } from '../../src/experts/index.ts'
import { createExpertStreamer, type TileSource } from '../../src/experts/model/tile-streaming.ts'
import { openRunner } from './graph-runner.ts'
import { smallArchitecture, startEngine, temporaryFolder, writeModel } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'

const large = {
  ...packedArchitecture,
  layers: 1,
  width: 160,
  expertWidth: 400,
  experts: 1,
  expertsPerToken: 1,
  vocabulary: 8
}

const first: Architecture = {
  ...smallArchitecture,
  layers: 1,
  width: 64,
  headWidth: 16,
  heads: 4,
  keyValueHeads: 2,
  expertWidth: 700,
  experts: 1,
  expertsPerToken: 1
}

type Kind = { readonly architecture: Architecture; readonly part: string; readonly share: number }
const kinds: Record<string, Kind> = {
  'fp32, matrices as [out, in]': { architecture: large, part: 'layer0.expert0', share: 10 },
  'fp32 of the first family, matrices as [in, out]': { architecture: first, part: 'layer0.expert0', share: 10 },
  int8: { architecture: { ...large, precision: 'int8' }, part: 'layer0.expert0', share: 10 },
  'a shared expert with its gate': {
    architecture: { ...large, precision: 'int8', sharedExpertWidth: 480 },
    part: 'layer0.shared',
    share: 10
  },
  'a dense feed-forward in several cuts': {
    architecture: { ...large, width: 64, precision: 'int8', denseLayers: [0], denseWidth: 8200 },
    part: 'layer0.dense',
    share: 4
  }
}

for (const [name, { architecture, part, share }] of Object.entries(kinds)) {
  test(`an expert in 1/${share} of its size of memory gives what it gives whole: ${name}`, async t => {
    const { whole, stream, width, dataLengthBytes } = await openBoth(t, architecture, part)
    const memoryBytesMax = Math.ceil(dataLengthBytes / share)
    const streamer = await stream(memoryBytesMax)
    const rows = Float32Array.from({ length: 5 * width }, (_, i) => Math.sin(i * 0.7) * (1 + (i % 3)))
    const expected = await whole(rows)
    const [actual, again] = await Promise.all([streamer.run(rows), streamer.run(rows)])
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0)
    assert.ok(largest > 0.1)
    assert.ok(worst <= 1e-5 * largest, `differs by ${worst} of ${largest}`)
    assert.deepEqual(again, actual)
    assert.ok(streamer.heldBytesMax <= memoryBytesMax, `${streamer.heldBytesMax} held of ${memoryBytesMax}`)
  })
}

test('the next tile is read while one is multiplied, and never more than one', async t => {
  const { stream, dataLengthBytes } = await openBoth(t, large, 'layer0.expert0')
  const log: string[] = []
  const watch = (source: TileSource): TileSource => ({
    ...source,
    scratchBytes: 0,
    async read(offsetBytes, into) {
      log.push('read')
      await source.read(offsetBytes, into)
    },
    close: () => source.close()
  })
  const streamer = await stream(Math.ceil(dataLengthBytes / 10), watch, () => log.push('multiply'))
  await streamer.run(new Float32Array(160).fill(1))
  const tiles = log.filter(entry => entry === 'multiply').length
  assert.ok(tiles > 20, `${tiles} tiles`)
  assert.deepEqual(log, ['read', ...Array.from({ length: tiles - 1 }, () => ['read', 'multiply']).flat(), 'multiply'])
})

test('too little memory for single rows is refused with what is needed, and that much is enough', async t => {
  const { stream } = await openBoth(t, large, 'layer0.expert0')
  let leastBytes = 0
  await assert.rejects(stream(4000), error => {
    assert.ok(isBlyanError(error, 'EXPERT_MEMORY_TOO_SMALL'))
    leastBytes = Number(error.payload.leastBytes)
    return true
  })
  await assert.rejects(stream(leastBytes - 8), error => isBlyanError(error, 'EXPERT_MEMORY_TOO_SMALL'))
  const streamer = await stream(leastBytes)
  assert.equal((await streamer.run(new Float32Array(320))).length, 320)
})

test('a file that was cut fails with its code and goes on when it is whole', async t => {
  const { file, stream } = await openBoth(t, large, 'layer0.expert0')
  const streamer = await stream(30_000)
  truncateSync(file.path, file.dataOffsetBytes + file.dataLengthBytes - 1)
  await assert.rejects(
    streamer.run(new Float32Array(160)),
    error => isBlyanError(error, 'PART_FILE_INVALID') && error.payload.part === 'layer0.expert0'
  )
  truncateSync(file.path, file.dataOffsetBytes + file.dataLengthBytes)
  assert.equal((await streamer.run(new Float32Array(160))).length, 160)
})

test('an engine with too little memory for any of the experts computes what one with enough computes', async t => {
  const folder = temporaryFolder(t)
  const architecture = { ...packedArchitecture, expertWidth: 240, sharedExpertWidth: 240 }
  const { parts } = writePackedModel(folder, architecture)
  const rows = Float32Array.from({ length: 3 * 24 }, (_, i) => Math.cos(i))
  const tokens = Uint32Array.from({ length: 40 }, (_, i) => (i * 37) % 300)
  const results: { rows: Float32Array; loss: number }[] = []
  for (const expertMemoryBytesMax of [2 ** 30, 22_000]) {
    const engine = await startEngine(t, folder, { expertMemoryBytesMax })
    await engine.loadModel({ model: 'm', architecture, parts })
    const loads = [{ name: 'layer1.expert2', rows }]
    const [found] = await engine.runExperts({ model: 'm', loads, priority: 'answer' })
    const { lossNatsPerToken } = await engine.evaluateTokens({ model: 'm', tokens })
    results.push({ rows: found!, loss: lossNatsPerToken })
  }
  const [whole, streamed] = results
  const largest = Math.max(...whole!.rows.map(Math.abs))
  const worst = Math.max(...whole!.rows.map((value, i) => Math.abs(value - streamed!.rows[i]!)))
  assert.ok(worst < 1e-5 * largest, `differs by ${worst} of ${largest}`)
  assert.ok(Math.abs(streamed!.loss - whole!.loss) < 1e-5 * whole!.loss, `${streamed!.loss} is not ${whole!.loss}`)
  const engine = await startEngine(t, folder, { expertMemoryBytesMax: 5000 })
  await engine.loadModel({ model: 'm', architecture, parts })
  const loads = [{ name: 'layer1.expert2', rows }]
  await assert.rejects(engine.runExperts({ model: 'm', loads, priority: 'answer' }), error =>
    isBlyanError(error, 'EXPERT_MEMORY_TOO_SMALL')
  )
})

async function openBoth(t: TestContext, architecture: Architecture, part: string) {
  const folder = temporaryFolder(t)
  const { parts }: { parts: readonly PartFile[] } =
    architecture.family === 'blyan-moe/1' ? writeModel(folder, architecture, 4) : writePackedModel(folder, architecture)
  const file = parts.find(({ name }) => name === part)!
  const description = describeModel(architecture).find(({ name }) => name === part)!
  const { width } = architecture
  const runner = openRunner(t, folder, architecture, parts)
  const kernel = await openTileKernel(1)
  t.after(() => kernel.release())
  const whole = async (rows: Float32Array): Promise<Float32Array> => {
    return (await runner.run(part, { tokens: { data: rows, dimensions: [rows.length / width, width] } })).result!
  }
  const stream = async (
    memoryBytesMax: number,
    watch: (source: TileSource) => TileSource = source => source,
    onMultiply: () => void = () => {}
  ) => {
    const source = await openFileSource(file)
    t.after(() => source.close().catch(() => {}))
    const watched: typeof kernel = {
      outIn(...given) {
        onMultiply()
        return kernel.outIn(...given)
      },
      inOut: (...given) => kernel.inOut(...given),
      integers: (...given) => kernel.integers(...given),
      activate: (...given) => kernel.activate(...given),
      release: () => kernel.release()
    }
    return createExpertStreamer({
      part: description,
      width,
      source: watch(source),
      kernel: watched,
      memoryBytesMax
    })
  }
  return { whole, stream, file, width, dataLengthBytes: description.dataLengthBytes }
}
