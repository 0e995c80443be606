import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Architecture,
  callSlices,
  cutSlice,
  cutsOf,
  describeModel,
  describeSlice,
  type Engine,
  joinSlices,
  type PartDescription,
  type PartFile,
  planSlices,
  sliceArchitecture,
  slicesMax,
  unpackSlice
} from '../../src/experts/index.ts'
import { smallArchitecture, startEngine, temporaryFolder, writeModel, writePartBytes } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'

const wideFirst = { ...smallArchitecture, expertWidth: 30 }
const packedInt8 = { ...packedArchitecture, precision: 'int8' as const }
const rowsOf = (width: number): Float32Array => Float32Array.from({ length: 3 * width }, (_, i) => Math.sin(i * 1.7))

test('a plan shares out all of the inner width, evenly, whatever the number of slices', () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 30_000 }), fc.integer({ min: 1, max: slicesMax }), (width, wanted) => {
      const slices = Math.min(wanted, width >> 3)
      const { bounds } = planSlices(width, slices)
      assert.deepEqual([bounds.length, bounds[0], bounds.at(-1)], [slices + 1, 0, width])
      const widths = bounds.slice(1).map((bound, place) => bound - bounds[place]!)
      assert.ok(Math.min(...widths) >= 8 && Math.max(...widths) - Math.min(...widths) <= 31, `${widths}`)
    })
  )
  for (const [width, slices] of [
    [39, 5],
    [40, 0],
    [1000, slicesMax + 1],
    [80, 1.5]
  ] as const)
    assert.throws(() => planSlices(width, slices), RangeError)
})

/** Every number of gate, up and down as it lies in some data, by output and input. */
function valuesOf(part: PartDescription, data: Uint8Array, name: string): number[][] {
  return cutsOf(part, name).flatMap(({ matrix, scales }) => {
    const bytes = unpackSlice(data, matrix).slice()
    const stored = matrix.dtype === 'fp32' ? new Float32Array(bytes.buffer) : new Int8Array(bytes.buffer)
    const factors = scales === null ? undefined : new Float32Array(unpackSlice(data, scales).slice().buffer)
    const [outputs, inputs] = matrix.orientation === 'inOut' ? matrix.shape.toReversed() : matrix.shape
    return Array.from({ length: outputs! }, (_, output) =>
      Array.from({ length: inputs! }, (_, input) => {
        const value = stored[matrix.orientation === 'inOut' ? input * outputs! + output : output * inputs! + input]!
        return value * (factors?.[output] ?? 1)
      })
    )
  })
}

test('slices hold every number of the expert, each once and where it belongs', () => {
  const wide = { ...packedArchitecture, width: 3, expertWidth: 9000 }
  const architectures: [string, Architecture, number][] = [
    ['the first family', wideFirst, 3],
    ['fp32', packedArchitecture, 2],
    ['int8', { ...packedArchitecture, precision: 'int8' }, 2],
    ['int8 stored in cuts', { ...wide, precision: 'int8' }, 4]
  ]
  for (const [what, architecture, slices] of architectures) {
    const part = describeModel(architecture).find(({ expert }) => expert === 1)!
    const data = new Uint8Array(part.dataLengthBytes)
    for (const slice of part.slices) {
      const target = unpackSlice(data, slice)
      if (slice.dtype === 'int8') target.set(target.map((_, i) => (i * 7) % 251))
      else
        target.set(
          new Uint8Array(
            Float32Array.from({ length: slice.lengthBytes / 4 }, (_, i) => Math.fround(i * 0.37 + 1)).buffer
          )
        )
    }
    const plan = planSlices(architecture.expertWidth, slices)
    const cut = Array.from({ length: slices }, (_, index) => ({
      part: describeSlice(architecture, part, plan, index),
      data: cutSlice(architecture, part, data, plan, index)
    }))
    for (const name of ['gate', 'up'])
      assert.deepEqual(
        cut.flatMap(one => valuesOf(one.part, one.data, name)),
        valuesOf(part, data, name),
        `${what}: ${name}`
      )
    const down = cut.map(one => valuesOf(one.part, one.data, 'down'))
    const joined = down[0]!.map((_, output) => down.flatMap(rows => rows[output]!))
    assert.deepEqual(joined, valuesOf(part, data, 'down'), `${what}: down`)
  }
  const router = describeModel(packedArchitecture).find(part => part.blockType === 'router')!
  assert.throws(() => describeSlice(packedArchitecture, router, planSlices(20, 2), 0), RangeError)
})

type Home = { readonly engine: Engine; readonly folder: string }

/** Gives every home its slice of an expert, and nothing else of its model. */
async function shareOut(homes: readonly Home[], architecture: Architecture, whole: PartFile) {
  const part = describeModel(architecture).find(({ name }) => name === whole.name)!
  const data = readFileSync(whole.path).subarray(whole.dataOffsetBytes)
  const plan = planSlices(architecture.expertWidth, homes.length)
  for (const [index, { engine, folder }] of homes.entries()) {
    const slice = describeSlice(architecture, part, plan, index)
    const own = mkdtempSync(join(folder, 'slice-'))
    const file = writePartBytes(own, slice, cutSlice(architecture, part, data, plan, index))
    await engine.loadModel({
      model: 'slice',
      architecture: sliceArchitecture(architecture, plan, index),
      parts: [file]
    })
  }
}

async function run({ engine }: Home, model: string, name: string, rows: Float32Array): Promise<Float32Array> {
  const [result] = await engine.runExperts({ model, loads: [{ name, rows }], priority: 'answer' })
  return result!
}

test('an expert whose slices are in different processes gives what the whole gives, to the same bits wherever they are', async t => {
  const homes = await Promise.all(
    [0, 1].map(async () => {
      const folder = temporaryFolder(t)
      return { engine: await startEngine(t, folder), folder }
    })
  )
  const [first, second] = homes as [Home, Home]
  const models: [string, Architecture, (folder: string) => readonly PartFile[], number][] = [
    ['fp32', packedArchitecture, folder => writePackedModel(folder, packedArchitecture).parts, 1e-5],
    ['int8', packedInt8, folder => writePackedModel(folder, packedInt8).parts, 0.02],
    ['the first family', wideFirst, folder => writeModel(folder, wideFirst, 4).parts, 1e-5]
  ]
  for (const [what, architecture, write, tolerance] of models) {
    const expert = write(mkdtempSync(join(first.folder, 'whole-'))).find(({ name }) => name === 'layer1.expert3')!
    const rows = rowsOf(architecture.width)
    await first.engine.loadModel({ model: 'whole', architecture, parts: [expert] })
    const right = await run(first, 'whole', expert.name, rows)
    await shareOut(homes, architecture, expert)
    const there = await callSlices(rows, 2, (index, given) => run(homes[index]!, 'slice', expert.name, given))
    await shareOut([second, first], architecture, expert)
    const swapped = await callSlices(rows, 2, async (index, given) => {
      // The first slice answers last: the order of the sum is the order of the slices all the same.
      if (index === 0) await run(first, 'slice', expert.name, given)
      return run(index === 0 ? second : first, 'slice', expert.name, given)
    })
    assert.deepEqual(there, swapped)
    const largest = Math.max(...right.map(Math.abs))
    const error = Math.max(...there.map((value, i) => Math.abs(value - right[i]!))) / largest
    assert.ok(error <= tolerance, `${what}: ${error}`)
  }
})

test('when one slice cannot be had the others are let go, and results that do not belong together are not joined', async () => {
  const signals: AbortSignal[] = []
  const call = callSlices(new Float32Array(4), 2, (index, _rows, signal) => {
    signals.push(signal)
    return index === 1 ? Promise.reject(new Error('gone')) : new Promise(() => {})
  })
  await assert.rejects(call, /gone/)
  assert.ok(signals.every(signal => signal.aborted))
  assert.throws(() => joinSlices([new Float32Array(2), new Float32Array(3)]), RangeError)
  assert.throws(() => joinSlices([]), RangeError)
})
