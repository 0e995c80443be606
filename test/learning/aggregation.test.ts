import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CID, sha256 } from '../../src/codec/index.ts'
import { genesisParts, littleEndianBytes } from '../../src/experts/index.ts'
import { gateDeltas } from '../../src/learning/delta-gate.ts'
import { makeDelta } from '../../src/learning/delta-maker.ts'
import { openChanges, readReveal } from '../../src/learning/delta-reader.ts'
import { createModelParts, type Reveal } from '../../src/learning/index.ts'
import { computePart, type PartOutcome, packUpdate, sourcesOf, storeVersions } from '../../src/learning/part-results.ts'
import { createPendingDelta } from '../../src/learning/pending-delta.ts'
import { storeBytes } from '../../src/learning/stored-bytes.ts'
import { addDecoded, createFeedbackStore, readPartValues, type TensorStore } from '../../src/tiles/index.ts'
import { openStore, temporaryFolder } from '../tiles/support.ts'
import { tinyArchitecture } from './learning-network.ts'

const network = CID.parse('bafyreih22ji3z7vboi6b3r373qazm5pphnbhilaukb5dxau6tind6ifmgq').toString()
const architecture = { ...tinyArchitecture, seed: 'aggregation' }
const parts = createModelParts('genesis', architecture)
const quiet = { debug: () => {}, info: () => {}, warn: () => {} }
const lineage = { shards: [], seed: '', batchesDigest: '', steps: 10, tokens: 5120 }

type World = { readonly tensors: TensorStore; readonly bases: ReadonlyMap<string, string>; readonly folder: string }

async function openWorld(t: TestContext): Promise<World> {
  const { tensors, folder } = await openStore(t)
  const bases = new Map<string, string>()
  for (const part of genesisParts(architecture)) {
    const data = littleEndianBytes(part.data)
    const { cid } = await tensors.putTensor({ name: part.name, dtype: 'fp32', shape: part.shape, data })
    bases.set(part.name, cid)
  }
  return { tensors, bases, folder }
}

/** What the model should become: a direction of its own for each value. */
function directionOf(name: string, length: number): Float32Array {
  const [first] = sha256(new TextEncoder().encode(name))
  return Float32Array.from({ length }, (_, at) => Math.sin(first! + at))
}

function changesOf(make: (wanted: number, at: number) => number): Map<string, Float32Array> {
  return new Map(
    parts.all.map(({ name, length }) => [name, directionOf(name, length).map((wanted, at) => make(wanted, at))])
  )
}

/** Losses fall the nearer the model comes to the direction: what an engine says, for a model that one can foresee. */
async function score(changes?: ReadonlyMap<string, Float32Array>): Promise<Float64Array> {
  let [distance, full] = [0, 0]
  for (const { name, length } of parts.all) {
    const wanted = directionOf(name, length)
    const change = changes?.get(name)
    for (let at = 0; at < length; at++) {
      distance += (0.01 * wanted[at]! - (change?.[at] ?? 0)) ** 2
      full += (0.01 * wanted[at]!) ** 2
    }
  }
  return Float64Array.from({ length: 32 }, (_, sequence) => 2 + distance / full + 0.01 * sequence)
}

async function reveal(
  world: World,
  account: string,
  changes: ReadonlyMap<string, Float32Array>,
  more: { readonly baseRound?: number; readonly bases?: ReadonlyMap<string, string>; readonly author?: string } = {}
): Promise<Reveal> {
  const { baseRound = 7, bases = world.bases, author = account } = more
  const made = await makeDelta({
    header: {
      network,
      model: 'genesis',
      kind: 'delta',
      round: 7,
      baseRound,
      codec: 'lr8+k32',
      steps: 10,
      tokens: 5120,
      author
    },
    parts,
    changes,
    bases,
    feedback: createFeedbackStore({ folder: join(world.folder, `feedback-${account}`) })
  })
  const { cid } = await storeBytes(world.tensors, 'delta', made.bytes)
  return { account, delta: cid, baseRound, tokens: 5120, sizeBytes: made.bytes.length, region: '', lineage }
}

function gate(world: World, reveals: readonly Reveal[], refusedBefore: readonly string[] = []) {
  return gateDeltas(
    {
      parts,
      open: one =>
        readReveal({ tensors: world.tensors, network, parts }, one, {
          tensorOf: name => world.bases.get(name),
          timeoutMs: 1000
        }),
      score,
      refusedBefore: new Set(refusedBefore),
      logger: quiet
    },
    7,
    reveals
  )
}

test('of what was revealed only what helps counts, each refusal has its reason, and the order is that of the chain', async t => {
  const world = await openWorld(t)
  const good = changesOf(wanted => 0.006 * wanted)
  const noisy = changesOf((wanted, at) => 0.005 * wanted + 0.002 * Math.cos(17 * at))
  const otherBases = new Map(world.bases).set('embedding', world.bases.get('layer0.router')!)
  const reveals = [
    await reveal(world, 'first', good),
    await reveal(
      world,
      'flipped',
      changesOf(wanted => -0.06 * wanted)
    ),
    await reveal(world, 'second', noisy),
    await reveal(world, 'twin', new Map([...good].map(([name, values]) => [name, values.map(value => 3 * value)]))),
    await reveal(
      world,
      'late',
      changesOf((wanted, at) => 0.004 * wanted + 0.003 * Math.cos(5 * at)),
      { baseRound: 5 }
    ),
    await reveal(world, 'elsewhere', good, { bases: otherBases }),
    await reveal(world, 'thief', good, { author: 'first' }),
    await reveal(world, 'liar', noisy),
    { ...(await reveal(world, 'larger', noisy)), sizeBytes: 100 },
    { ...(await reveal(world, 'gone', noisy)), delta: world.bases.get('layer0.attention')!.replace(/.$/, 'a') }
  ]
  const { accepted, refused } = await gate(world, reveals, ['liar'])
  assert.deepEqual(
    accepted.map(({ account, weightPpm }) => [account, weightPpm]),
    [
      ['first', 1_000_000],
      ['second', 1_000_000],
      ['late', 333_333]
    ]
  )
  assert.ok(accepted.every(({ gainNano }) => gainNano > 0))
  assert.deepEqual(Object.fromEntries(refused.map(({ account, reason }) => [account, reason])), {
    flipped: 'poisoned',
    twin: 'copied',
    elsewhere: 'stale',
    thief: 'invalid',
    liar: 'lineage',
    larger: 'invalid',
    gone: refused.find(({ account }) => account === 'gone')!.reason
  })
})

test('whoever has the list computes the same bytes, and the update file makes the new version of the old one', async t => {
  const [primary, backup] = [await openWorld(t), await openWorld(t)]
  const changes = [
    changesOf(wanted => 0.006 * wanted),
    changesOf((wanted, at) => 0.005 * wanted + 0.002 * Math.cos(9 * at))
  ]
  const outcomes: (readonly PartOutcome[])[] = []
  for (const world of [primary, backup]) {
    const reveals = [await reveal(world, 'first', changes[0]!), await reveal(world, 'second', changes[1]!)]
    const { accepted, files } = await gate(world, reveals)
    const sources = sourcesOf(accepted, files)!
    const made: PartOutcome[] = []
    for (const part of parts.all)
      made.push(await computePart({ part, base: world.tensors.info(world.bases.get(part.name)!)!, sources }))
    outcomes.push(made)
    assert.equal(sourcesOf([...accepted, { ...accepted[0]!, delta: 'another' }], files), undefined)
  }
  const tensorsOf = (at: number): (string | null)[] => outcomes[at]!.map(({ tensor }) => tensor)
  assert.deepEqual(tensorsOf(0), tensorsOf(1))
  assert.ok(tensorsOf(0).every(tensor => tensor !== null))

  await storeVersions(primary.tensors, outcomes[0]!)
  const bytes = packUpdate(
    { network, model: 'genesis', round: 7, baseRound: 7, steps: 10, tokens: 5120, author: 'primary' },
    outcomes[0]!
  )
  const file = openChanges(bytes, {
    network,
    parts,
    kind: 'update',
    author: 'primary',
    sizeBytesMax: bytes.length,
    tensorOf: name => backup.bases.get(name)
  })
  for (const [at, { name }] of parts.all.entries()) {
    const values = await readPartValues(backup.tensors.info(backup.bases.get(name)!)!)
    addDecoded(values, file.decode(name))
    const published = await readPartValues(primary.tensors.info(tensorsOf(0)[at]!)!)
    assert.deepEqual(values, published, name)
  }
  // Nothing that counts: the part stays the version it is.
  const [part] = parts.all
  const base = primary.tensors.info(primary.bases.get(part!.name)!)!
  assert.equal((await computePart({ part: part!, base, sources: [] })).tensor, null)
})

test('what the codec left out of a delta is in the next one, once the delta counts', async t => {
  const world = await openWorld(t)
  const feedback = createFeedbackStore({ folder: join(world.folder, 'feedback') })
  const header = {
    network,
    model: 'genesis',
    kind: 'delta',
    round: 7,
    baseRound: 7,
    codec: 'lr8+k32',
    steps: 1,
    tokens: 1,
    author: 'me'
  } as const
  const changes = changesOf(wanted => 0.01 * wanted)
  const make = () => makeDelta({ header, parts, changes, bases: world.bases, feedback })
  const first = await make()
  assert.deepEqual((await make()).bytes, first.bytes)
  await first.keepFeedback()
  assert.notDeepEqual((await make()).bytes, first.bytes)
  await feedback.clear('genesis')
  assert.deepEqual((await make()).bytes, first.bytes)
})

test('a committed delta is still known after a kill, and half a file is none', async t => {
  const folder = await temporaryFolder(t)
  const file = createPendingDelta(folder, 'genesis')
  assert.equal(await file.read(), undefined)
  const delta = { round: 3, baseRound: 2, cid: network, salt: 'ab'.repeat(32), sizeBytes: 9, lineage }
  await file.write(delta)
  assert.deepEqual(await createPendingDelta(folder, 'genesis').read(), delta)
  assert.equal(await createPendingDelta(folder, 'other').read(), undefined)
  await file.write({ ...delta, salt: 'short' })
  assert.equal(await file.read(), undefined)
  await file.clear()
  assert.equal(await file.read(), undefined)
})
