import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { BlyanError } from '../../../src/errors/index.ts'
import {
  createPartVersions,
  defaultAggregationRules,
  isSameResult,
  type PartVersionsNeeds,
  planVersion,
  readPartValues,
  replayUpdate,
  type TensorStore
} from '../../../src/tiles/index.ts'
import { openStore } from '../support.ts'
import { GrowingPart, int8, model, network, noise } from './support.ts'

const length = 65_536
const expert = 'layer0.expert0'

/** Versions of a node that keeps no archive and has nothing mapped, over `parts` that grow elsewhere or here. */
function versionsOf(tensors: TensorStore, parts: readonly GrowingPart[], changes: Partial<PartVersionsNeeds> = {}) {
  const partOf = (name: string) => parts.find(part => part.name === name)
  let nowMs = 0
  return createPartVersions({
    tensors,
    network,
    parts: () => parts.map(({ name }) => name),
    chainOf: name => partOf(name)?.chain,
    historyOf: name => partOf(name)?.history ?? [],
    layoutsOf: name => partOf(name)?.layouts,
    modelOf: () => model,
    roundOf: () => 100,
    refusedTensors: () => [],
    isMapped: () => false,
    isOwnPin: () => false,
    keepsArchive: () => false,
    nowMs: () => (nowMs += 3),
    ...changes
  })
}

/** Fetches by copying from the store of another machine, and counts what came. */
async function reader(t: TestContext, from: TensorStore, lacks: ReadonlySet<string> = new Set()) {
  const { tensors } = await openStore(t)
  const fetched: string[] = []
  const fetchTensor: TensorStore['fetchTensor'] = async cid => {
    const here = tensors.info(cid)
    if (here !== undefined) return here
    if (from.info(cid) === undefined || lacks.has(cid)) throw new BlyanError('TENSOR_NOT_FOUND', { cid })
    fetched.push(cid)
    const { bytes } = await from.export(cid, { format: 'tblock' })
    return (await tensors.putStream({ format: 'tblock', name: '', bytes })).tensors[0]!
  }
  return { tensors, fetched, over: bound(tensors, fetchTensor) }
}

function bound(tensors: TensorStore, fetchTensor: TensorStore['fetchTensor']): TensorStore {
  return {
    ...tensors,
    fetchTensor,
    info: cid => tensors.info(cid),
    list: () => tensors.list(),
    putTensor: input => tensors.putTensor(input),
    unpin: cid => tensors.unpin(cid),
    remove: cid => tensors.remove(cid)
  }
}

test('a node that has an older version makes the newest from the updates, to the bit', async t => {
  const { tensors: primary } = await openStore(t)
  const part = await GrowingPart.begin(primary, expert, length)
  const learner = await reader(t, primary)
  const versions = versionsOf(learner.over, [part])
  assert.equal((await versions.ensure(expert)).cid, part.newest)
  assert.equal(versions.loadMs(expert), null)
  await part.grow(1)
  await part.grow(2)
  learner.fetched.length = 0
  const made = await versions.ensure(expert)
  assert.equal(made.cid, part.newest)
  assert.deepEqual(
    learner.fetched,
    part.chain.updates.map(({ update }) => update),
    'only updates came'
  )
  assert.deepEqual(await readPartValues(made), await readPartValues(primary.info(part.newest)!))
  assert.equal(versions.loadMs(expert), 3)
  learner.fetched.length = 0
  assert.equal((await versions.ensure(expert)).cid, part.newest)
  assert.deepEqual(learner.fetched, [])
})

test('parts that share an update file share what it costs, and each finds its own frames in it', async t => {
  const { tensors: primary } = await openStore(t)
  const parts = [await GrowingPart.begin(primary, expert, length), await GrowingPart.begin(primary, 'layer0.x', length)]
  parts.push(
    ...(await Promise.all(
      ['y.a', 'y.b', 'y.c', 'y.d', 'y.e', 'y.f', 'y.g'].map(name => GrowingPart.begin(primary, name, length))
    ))
  )
  const all = await reader(t, primary)
  const one = await reader(t, primary)
  const versions = { all: versionsOf(all.over, parts), one: versionsOf(one.over, parts) }
  for (const { name } of parts) await versions.all.ensure(name)
  await versions.one.ensure(expert)
  await parts[0]!.grow(1, parts.slice(1))
  one.fetched.length = 0
  all.fetched.length = 0
  for (const { name, newest } of parts) assert.equal((await versions.all.ensure(name)).cid, newest)
  assert.deepEqual(all.fetched, [parts[0]!.chain.updates[0]!.update], 'one file for all of them')
  assert.equal((await versions.one.ensure(expert)).cid, parts[0]!.newest)
  assert.deepEqual(one.fetched, [parts[0]!.newest], 'for one part the whole part is fewer bytes than the file')
})

test('an update that makes something else is not believed: the version is fetched whole', async t => {
  const { tensors: primary } = await openStore(t)
  const part = await GrowingPart.begin(primary, expert, length)
  const learner = await reader(t, primary)
  const first = part.newest
  await part.grow(1)
  const [honest] = part.chain.updates
  const other = await GrowingPart.begin(primary, expert, length)
  await other.grow(7)
  const forged = { snapshot: first, updates: [{ ...honest!, update: other.chain.updates[0]!.update }] }
  const versions = versionsOf(learner.over, [part], { chainOf: () => forged })
  await learner.over.fetchTensor(first)
  learner.fetched.length = 0
  assert.equal((await versions.ensure(expert)).cid, part.newest)
  assert.deepEqual(learner.fetched, [forged.updates[0]!.update, part.newest])
  assert.equal(learner.tensors.info(other.newest), undefined, 'nothing is left of what the forged update made')
})

test('where nobody has the newest version whole, the last snapshot and what followed make it', async t => {
  const { tensors: archive } = await openStore(t)
  const part = await GrowingPart.begin(archive, expert, length)
  await part.grow(1)
  part.compact()
  await part.grow(2)
  await part.grow(3)
  const newcomer = await reader(t, archive, new Set([part.newest]))
  const versions = versionsOf(newcomer.over, [part])
  assert.equal((await versions.ensure(expert)).cid, part.newest)
  const { snapshot, updates } = part.chain
  assert.deepEqual(newcomer.fetched, [snapshot, ...updates.map(({ update }) => update)])
  const nobody = await reader(t, archive, new Set([part.newest, snapshot]))
  const refused = { code: 'PART_VERSION_UNAVAILABLE' }
  await assert.rejects(versionsOf(nobody.over, [part]).ensure(expert), refused)
  await assert.rejects(versions.ensure('layer9.expert9'), refused)
})

test('a chain that is longer than the part is not walked', () => {
  const update = { update: 'u', tensor: 'b', sizeBytes: 60 }
  const chain = { snapshot: 'a', updates: [update, { ...update, tensor: 'c' }] }
  const sizeHere = (cid: string) => (cid === 'a' ? 100 : undefined)
  assert.deepEqual(
    planVersion(chain, sizeHere, ({ sizeBytes }) => sizeBytes),
    { kind: 'fetch', tensor: 'c' }
  )
  assert.deepEqual(
    planVersion(chain, sizeHere, () => 0),
    { kind: 'apply', base: 'a', updates: chain.updates }
  )
  assert.deepEqual(
    planVersion(
      chain,
      () => undefined,
      () => 0
    ),
    { kind: 'fetch', tensor: 'c' }
  )
})

test('superseded versions, spent updates and refused candidates leave the disk, and nothing else does', async t => {
  const { tensors, blockstore } = await openStore(t)
  const part = await GrowingPart.begin(tensors, expert, length)
  for (let round = 1; round <= 4; round++) await part.grow(round)
  part.compact()
  await part.grow(95)
  await part.grow(99)
  const spent = part.history.slice(0, -2)
  const mapped = spent[1]!
  const pinned = spent[2]!
  await tensors.pin(pinned)
  const own = spent[3]!
  await tensors.pin(own)
  const put = (name: string, seed: number, dtype: 'int8' | 'fp32' = 'int8') =>
    tensors.putTensor({
      name,
      dtype,
      shape: [64 * (dtype === 'int8' ? 4 : 1)],
      data: new Uint8Array(noise(64, seed).buffer)
    })
  const refused = await put('refused', 1, 'fp32')
  const kept = [await put('delta', 2), await put(expert, 3, 'fp32')]
  const before = tensors.list()
  const diskBefore = await bytesOnDisk(tensors)
  const versions = versionsOf(tensors, [part], {
    refusedTensors: () => [refused.cid],
    isMapped: cid => cid === mapped,
    isOwnPin: cid => cid === own
  })
  const archive = versionsOf(tensors, [part], { keepsArchive: () => true })
  assert.deepEqual(await archive.free(), { files: 0, bytes: 0 })
  const freed = await versions.free()
  const left = new Set(tensors.list().map(({ cid }) => cid))
  const gone = before.filter(({ cid }) => !left.has(cid))
  const wanted = [mapped, pinned, ...part.history.slice(-2), ...part.chain.updates.map(({ update }) => update)]
  for (const cid of [...wanted, ...kept.map(({ cid }) => cid)]) assert.ok(left.has(cid))
  assert.deepEqual(
    new Set(gone.map(({ cid }) => cid)),
    new Set([...spent.filter(cid => cid !== mapped && cid !== pinned), refused.cid, ...oldUpdates(before, wanted)])
  )
  assert.equal(freed.files, gone.length)
  assert.equal(diskBefore - (await bytesOnDisk(tensors)), freed.bytes, 'the disk has what the answer says')
  assert.equal((await blockstore.files.names()).length, left.size)
  assert.deepEqual(await versions.free(), { files: 0, bytes: 0 })
})

test('a backup that replays the accepted deltas in their order gets the same tensor, and another one when one is missing', async t => {
  const { tensors } = await openStore(t)
  const part = await GrowingPart.begin(tensors, expert, length)
  const base = tensors.info(part.newest)!
  await part.grow(1)
  const accepted = [1, 2].map(learner => ({
    values: noise(length, 100 + learner).map(value => value / 100),
    weightPpm: 1_000_000 / learner
  }))
  const request = { base, layouts: part.layouts, rules: defaultAggregationRules, codec: int8 }
  assert.ok(isSameResult(part.newest, await replayUpdate({ ...request, accepted })))
  assert.ok(!isSameResult(part.newest, await replayUpdate({ ...request, accepted: accepted.slice(1) })))
  assert.ok(!isSameResult(null, await replayUpdate({ ...request, accepted })))
})

function oldUpdates(before: readonly { cid: string; name: string }[], wanted: readonly string[]): string[] {
  return before.filter(({ cid, name }) => name === 'update' && !wanted.includes(cid)).map(({ cid }) => cid)
}

async function bytesOnDisk(tensors: TensorStore): Promise<number> {
  const sizes = await Promise.all(tensors.list().map(async ({ path }) => (await stat(path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

test('a file that says it is of a round far ahead does not stay for ever', async t => {
  const { tensors } = await openStore(t)
  const part = await GrowingPart.begin(tensors, expert, length)
  await part.grow(99)
  const strange = await GrowingPart.begin(tensors, 'layer0.expert9', length)
  await strange.grow(1_000_000)
  await versionsOf(tensors, [part]).free()
  assert.equal(tensors.info(strange.chain.updates[0]!.update), undefined)
  assert.notEqual(tensors.info(part.chain.updates[0]!.update), undefined)
})
