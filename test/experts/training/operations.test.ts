import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisArchitecture, shapeOf } from '../../../src/experts/index.ts'
import { createGraphBuilder } from '../../../src/experts/model/graph-builder.ts'
import { elementTypes } from '../../../src/experts/model/onnx-writer.ts'
import { attend, type BatchShape, fromHeads, rotate, toHeads } from '../../../src/experts/training/attention.ts'
import { balanceLoss, crossEntropy, weightedSum, zLoss } from '../../../src/experts/training/losses.ts'
import * as operations from '../../../src/experts/training/operations.ts'
import { positionTables } from '../../../src/experts/training/position-tables.ts'
import { combine, dispatch, type Routing, route } from '../../../src/experts/training/sparse-experts.ts'
import { createTape, type Tape, type Value } from '../../../src/experts/training/tape.ts'
import { createNumbers, openTestSession, type TestFeed, tablesIn64, worstDistance } from './graph-session.ts'

const distanceMax = 1e-6
const cast = { float: elementTypes.float64 }
const shape = {
  ...shapeOf({ ...genesisArchitecture('operations'), width: 16, heads: 4, keyValueHeads: 2, headWidth: 4 }),
  experts: 5,
  expertsPerToken: 2
}

type Shapes = Readonly<Record<string, readonly number[]>>
type Build = (tape: Tape, values: Readonly<Record<string, Value>>) => Value

/**
 * Differentiates sum(output x some numbers) by every input, and holds it against central differences. Returns the gradients.
 * `data` stands in for drawn values.
 */
async function check(
  shapes: Shapes,
  build: Build,
  data: Readonly<Record<string, Float64Array>> = {},
  extra: Readonly<Record<string, TestFeed>> = {}
): Promise<Record<string, Float64Array>> {
  const tape = createTape(createGraphBuilder('float64'))
  const { builder } = tape
  const values = Object.fromEntries(Object.keys(shapes).map(name => [name, tape.parameter(name)]))
  const output = build(tape, values)
  const flat = builder.add('Reshape', [output.name, builder.integers([-1])])
  const number = builder.add(
    'Cast',
    [
      builder.add('Range', [
        builder.integer(0),
        builder.add('Squeeze', [builder.add('Shape', [flat])]),
        builder.integer(1)
      ])
    ],
    { to: cast.float }
  )
  const probe = builder.add('Add', [builder.add('Sin', [number]), builder.float(1.5)])
  const loss = tape.record(
    builder.add('ReduceSum', [builder.add('Mul', [flat, probe])], { keepdims: 0 }),
    [output],
    slope => [builder.add('Reshape', [builder.add('Mul', [probe, slope]), builder.add('Shape', [output.name])])]
  )
  const slopes = tape.backward(loss)
  const double = (name: string, dimensions: readonly number[]) => ({ name, type: 'float64', dimensions }) as const
  const given = Object.entries(extra).map(([name, feed]) => ({
    name,
    type: feed.data instanceof BigInt64Array ? ('int64' as const) : ('float64' as const),
    dimensions: feed.dimensions
  }))
  const model = builder.write(
    'check',
    [...Object.entries(shapes).map(([name, dimensions]) => double(name, dimensions)), ...given],
    [
      { ...double('loss', []), value: loss.name },
      ...Object.entries(shapes).map(([name, dimensions]) => ({
        ...double(`d ${name}`, dimensions),
        value: builder.add('Identity', [slopes.get(name)!])
      }))
    ]
  )
  const session = await openTestSession(model)
  try {
    const draw = createNumbers(7)
    const feeds: Record<string, TestFeed> = { ...extra }
    for (const [name, dimensions] of Object.entries(shapes)) {
      const length = dimensions.reduce((product, extent) => product * extent, 1)
      feeds[name] = { data: data[name] ?? Float64Array.from({ length }, draw), dimensions }
    }
    const results = await session.run(feeds)
    for (const name of Object.keys(shapes)) {
      const worst = await worstDistance(
        feeds[name]!.data as Float64Array,
        results[`d ${name}`]!,
        async () => (await session.run(feeds)).loss![0]!,
        { entries: 200 }
      )
      assert.ok(worst < distanceMax, `${name}: ${worst}`)
    }
    return Object.fromEntries(Object.keys(shapes).map(name => [name, results[`d ${name}`] as Float64Array]))
  } finally {
    await session.close()
  }
}

test('sum and scale', async () => {
  await check({ x: [3, 4], y: [3, 4] }, (tape, { x, y }) => operations.scale(tape, operations.sum(tape, x!, y!), 1.7))
})

test('a value used several times gets the sum of its slopes', async () => {
  const { x } = await check({ x: [2, 2] }, (tape, { x }) => {
    const twice = operations.sum(tape, x!, x!)
    return operations.sum(tape, twice, operations.sum(tape, x!, operations.scale(tape, x!, 3)))
  })
  // Six times the probe, whose first number is 1.5.
  assert.ok(Math.abs(x![0]! - 9) < 1e-12)
})

for (const orientation of ['outIn', 'inOut'] as const) {
  test(`rows times a matrix, ${orientation}`, async () => {
    const matrix = orientation === 'outIn' ? [5, 4] : [4, 5]
    await check({ x: [3, 4], matrix }, (tape, { x, matrix }) => operations.linear(tape, x!, matrix!, orientation))
  })
}

test('a vector added to rows', async () => {
  await check({ x: [3, 4], vector: [4] }, (tape, { x, vector }) => operations.addVector(tape, x!, vector!))
})

for (const tableRows of [6, 1030]) {
  test(`rows of a table of ${tableRows}, some asked for several times, some never`, async () => {
    const ids = { data: BigInt64Array.of(2n, 0n, 2n, 2n, 5n), dimensions: [5] }
    const { table } = await check(
      { table: [tableRows, 3] },
      (tape, { table }) => operations.lookUpRows(tape, table!, tableRows, 'ids', cast),
      {},
      { ids }
    )
    assert.ok(table!.subarray(3, 6).every(slope => slope === 0))
    assert.ok(table!.subarray(6, 9).every(slope => slope > 1.5))
  })
}

test('RMSNorm of rows, and of rows cut into heads', async () => {
  await check({ x: [3, 8], weight: [8] }, (tape, { x, weight }) =>
    operations.rootMeanSquareNorm(tape, x!, weight!, 1e-5, 8)
  )
  await check({ x: [3, 8], weight: [4] }, (tape, { x, weight }) => {
    const heads = operations.regroupRows(tape, x!, 8, 4)
    return operations.regroupRows(tape, operations.rootMeanSquareNorm(tape, heads, weight!, 1e-5, 4), 4, 8)
  })
})

test('clipping: what is cut has no slope', async () => {
  const x = Float64Array.of(-2, -0.4, 0.1, 0.6, 3, 0.2)
  const slopes = await check({ x: [2, 3] }, (tape, { x }) => operations.clip(tape, x!, 0.5), { x })
  assert.deepEqual(
    [...slopes.x!].map(slope => slope !== 0),
    [false, true, true, false, false, true]
  )
})

test('the gated unit of SwiGLU', async () => {
  await check({ gate: [3, 4], up: [3, 4] }, (tape, { gate, up }) => operations.gatedUnit(tape, gate!, up!))
})

test('rows opened by a sigmoid', async () => {
  await check({ rows: [3, 4], logits: [3, 1] }, (tape, { rows, logits }) => operations.openRows(tape, rows!, logits!))
})

test('softmax', async () => {
  await check({ x: [3, 5] }, (tape, { x }) => operations.softmax(tape, x!))
})

const batch = (tape: Tape): BatchShape => ({
  rows: tape.builder.integers([2, 3]),
  sequences: tape.builder.integers([2]),
  sequenceTokens: tape.builder.integers([3])
})
const tables = tablesIn64(positionTables(shape, 3))

test('rows to heads, turned, and back', async () => {
  await check(
    { x: [6, 16] },
    (tape, { x }) => {
      const heads = toHeads(tape, x!, batch(tape), 4, 4)
      return fromHeads(tape, rotate(tape, heads, 'cosines', 'sines'), batch(tape), 4, 4)
    },
    {},
    { cosines: tables.cosines!, sines: tables.sines! }
  )
})

test('causal attention, four query heads on two key-value heads', async () => {
  await check(
    { queries: [2, 4, 3, 4], keys: [2, 2, 3, 4], values: [2, 2, 3, 4] },
    (tape, { queries, keys, values }) =>
      attend(tape, { queries: queries!, keys: keys!, values: values! }, 'mask', batch(tape), shape),
    {},
    { mask: tables.mask! }
  )
})

test('cross-entropy', async () => {
  const targets = { data: BigInt64Array.of(4n, 0n, 0n), dimensions: [3] }
  await check(
    { logits: [3, 5] },
    (tape, { logits }) => crossEntropy(tape, logits!, 'targets', cast).loss,
    {},
    { targets }
  )
})

const routers = [
  { softmaxFirst: true, normalise: true },
  { softmaxFirst: true, normalise: false },
  { softmaxFirst: false, normalise: false }
]

for (const router of routers) {
  test(`rows to their experts and back, router ${JSON.stringify(router)}, an expert without rows`, async () => {
    const draw = createNumbers(3)
    // The middle expert is never among the highest two.
    const logits = Float64Array.from({ length: 30 }, (_, i) => (i % 5 === 2 ? -9 : draw()))
    const factors = await check(
      {
        rows: [6, 3],
        logits: [6, 5],
        matrix0: [3, 3],
        matrix1: [3, 3],
        matrix2: [3, 3],
        matrix3: [3, 3],
        matrix4: [3, 3]
      },
      (tape, { rows, logits, ...matrices }) => {
        const own = { ...shape, router }
        const routing = route(tape, logits!, own, cast)
        const results = dispatch(tape, rows!, routing, own).map((piece, expert) =>
          operations.linear(tape, piece, matrices[`matrix${expert}`]!, 'outIn')
        )
        return combine(tape, results, routing, own)
      },
      { logits }
    )
    assert.ok(factors.matrix2!.every(slope => slope === 0))
    assert.ok(factors.matrix0!.some(slope => slope !== 0))
  })
}

test('of equal logits the lower expert is chosen, and rows of an expert keep their order', async () => {
  const tape = createTape(createGraphBuilder('float64'))
  const { builder } = tape
  const routing = route(tape, tape.constant('logits'), shape, cast)
  const list = (name: string, value: string) => ({ name, type: 'int64', dimensions: ['M'], value }) as const
  const rows = routing.rows.map((value, expert) => list(`rows${expert}`, value))
  const model = builder.write(
    'route',
    [{ name: 'logits', type: 'float64', dimensions: [3, 5] }],
    [list('counts', routing.counts), ...rows]
  )
  const session = await openTestSession(model)
  try {
    const data = Float64Array.of(...[0, 0, 0, 0, 0], ...[-1, 2, 2, 2, 0], ...[0, 0, 1, 0, 0])
    const results = await session.run({ logits: { data, dimensions: [3, 5] } })
    const numbers = (name: string): number[] => [...results[name]!].map(Number)
    assert.deepEqual(numbers('counts'), [2, 2, 2, 0, 0])
    assert.deepEqual(
      [0, 1, 2, 3, 4].map(expert => numbers(`rows${expert}`)),
      [[0, 2], [0, 1], [1, 2], [], []]
    )
  } finally {
    await session.close()
  }
})

test('one expert, and one choice of several', async () => {
  for (const own of [
    { ...shape, experts: 1, expertsPerToken: 1 },
    { ...shape, experts: 5, expertsPerToken: 1, router: { softmaxFirst: true, normalise: false } }
  ]) {
    await check({ rows: [6, 3], logits: [6, own.experts], matrix: [3, 3] }, (tape, { rows, logits, matrix }) => {
      const routing = route(tape, logits!, own, cast)
      const pieces = dispatch(tape, rows!, routing, own)
      return combine(
        tape,
        pieces.map(piece => operations.linear(tape, piece, matrix!, 'outIn')),
        routing,
        own
      )
    })
  }
})

test('load balance, router size and their weighted sum', async () => {
  await check({ logits: [6, 5] }, (tape, { logits }) => {
    const routing: Routing = route(tape, logits!, shape, cast)
    return weightedSum(tape, [
      [balanceLoss(tape, routing, shape, cast), 0.3],
      [zLoss(tape, logits!, cast), 1]
    ])
  })
})
