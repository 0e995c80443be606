import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { isBlyanError } from '../../src/errors/index.ts'
import { openCompressedSource } from '../../src/experts/engine/compressed-part.ts'
import { openFileSource, type PartFile, writeCompressedPart } from '../../src/experts/index.ts'
import { startEngine, temporaryFolder } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'

const frameBytes = 1000

test('any piece of a compressed part is the piece of the part', async t => {
  const { plain, packed, raw } = await compressed(t)
  const source = await openCompressedSource(packed)
  t.after(() => source.close())
  await fc.assert(
    fc.asyncProperty(fc.nat(raw.length), fc.nat(3500), async (start, length) => {
      const into = new Uint8Array(Math.min(length, raw.length - start))
      await source.read(start, into)
      assert.deepEqual(into, new Uint8Array(raw.subarray(start, start + into.length)))
    })
  )
  await assert.rejects(source.read(raw.length - 5, new Uint8Array(6)), isDamaged)
  assert.ok(statSync(packed.path).size < statSync(plain.path).size)
  assert.equal(existsSync(`${packed.path}.partial`), false)
})

test('a compressed file with any byte changed or cut off is refused or gives the same', async t => {
  const { packed, raw } = await compressed(t)
  const good = readFileSync(packed.path)
  const path = `${packed.path}.copy`
  const readAll = async (): Promise<Uint8Array> => {
    const source = await openCompressedSource({ ...packed, path })
    try {
      const all = new Uint8Array(raw.length)
      await source.read(0, all)
      return all
    } finally {
      await source.close()
    }
  }
  const tryOne = async (bytes: Uint8Array): Promise<void> => {
    writeFileSync(path, bytes)
    const found = await readAll().catch((error: unknown) => error)
    if (found instanceof Uint8Array) assert.deepEqual(found, new Uint8Array(raw))
    else assert.ok(isDamaged(found), String(found))
  }
  const place = fc.nat(good.length - 1)
  await fc.assert(
    fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async (at, change) => {
      await tryOne(good.map((byte, i) => (i === at ? byte ^ change : byte)))
    }),
    { numRuns: 60 }
  )
  await fc.assert(
    fc.asyncProperty(place, async length => tryOne(good.subarray(0, length))),
    { numRuns: 20 }
  )
  // The header and the list of frames, byte by byte.
  for (let at = 0; at < 80; at++) await tryOne(good.map((byte, i) => (i === at ? byte ^ 255 : byte)))
})

test('writing stops without a trace when the part cannot be read', async t => {
  const { plain, packed } = await compressed(t)
  truncateSync(plain.path, statSync(plain.path).size - 1)
  const source = await openFileSource(plain)
  t.after(() => source.close())
  const path = `${packed.path}.second`
  await assert.rejects(writeCompressedPart(source, plain.dataLengthBytes, path, frameBytes), isDamaged)
  assert.deepEqual([existsSync(path), existsSync(`${path}.partial`)], [false, false])
})

test('an engine computes with a compressed expert, and with no other compressed part', async t => {
  const { folder, plain, packed, parts } = await compressed(t)
  const engine = await startEngine(t, folder)
  const loads = [{ name: plain.name, rows: Float32Array.from({ length: 48 }, (_, i) => Math.sin(i)) }]
  const run = () => engine.runExperts({ model: 'm', loads, priority: 'answer' })
  await engine.loadModel({ model: 'm', architecture: packedArchitecture, parts })
  const [expected] = await run()
  await engine.replacePart({ model: 'm', part: packed })
  const [actual] = await run()
  const worst = Math.max(...expected!.map((value, i) => Math.abs(value - actual![i]!)))
  assert.ok(worst < 1e-5 * Math.max(...expected!.map(Math.abs)), `differs by ${worst}`)
  const attention = parts.find(part => part.name === 'layer0.attention')!
  await engine.replacePart({ model: 'm', part: { ...attention, compression: 'zstd' } })
  await assert.rejects(engine.evaluateTokens({ model: 'm', tokens: Uint32Array.of(1, 2, 3) }), isDamaged)
})

function isDamaged(error: unknown): boolean {
  return isBlyanError(error, 'PART_FILE_INVALID')
}

async function compressed(t: TestContext): Promise<{
  readonly folder: string
  readonly plain: PartFile
  readonly packed: PartFile
  readonly raw: Buffer
  readonly parts: readonly PartFile[]
}> {
  const folder = temporaryFolder(t)
  const { parts } = writePackedModel(folder, packedArchitecture)
  const plain = parts.find(part => part.name === 'layer1.expert3')!
  const path = join(folder, 'expert.zst')
  const source = await openFileSource(plain)
  await writeCompressedPart(source, plain.dataLengthBytes, path, frameBytes)
  await source.close()
  const raw = readFileSync(plain.path).subarray(plain.dataOffsetBytes)
  return { folder, plain, packed: { ...plain, path, dataOffsetBytes: 0, compression: 'zstd' }, raw, parts }
}
