import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { SigningKey } from '../../src/codec/index.ts'
import { type Lineage, lineageOf } from '../../src/datasets/index.ts'
import { BlyanError, type ErrorCode } from '../../src/errors/index.ts'
import { describeModel, genesisParts, littleEndianBytes } from '../../src/experts/index.ts'
import { makeDelta } from '../../src/learning/delta-maker.ts'
import {
  aggregatesOf,
  createAggregationDuty,
  createEdgeDuty,
  createModelParts,
  type DutyCounts,
  edgeOf,
  edgesOf,
  isChallenged,
  type LearningChain,
  learningSettings,
  newestTensor,
  primariesOf,
  resultsOf,
  revealsOf,
  roundParts,
  roundRules
} from '../../src/learning/index.ts'
import { gateReveals } from '../../src/learning/round-inputs.ts'
import { storeBytes } from '../../src/learning/stored-bytes.ts'
import { createFeedbackStore, type TensorStore } from '../../src/tiles/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { operatorKey } from '../ledger/ledger-world.ts'
import { openStore, temporaryFolder } from '../tiles/support.ts'
import { cid, learnerKey, model, RoundWorld } from './chain/round-world.ts'
import { tinyArchitecture } from './learning-network.ts'

const architecture = { ...tinyArchitecture, experts: 4, seed: 'duties' }
const parts = createModelParts(model, architecture)
const silent = { debug: () => {}, info: () => {}, warn: () => {} }
const sequenceTokens = 63

type Place = { readonly world: RoundWorld; readonly tensors: TensorStore; readonly folder: string }

async function openPlace(t: TestContext): Promise<Place> {
  const { tensors } = await openStore(t)
  const described = new Map(describeModel(architecture).map(part => [part.name, part]))
  const made = []
  for (const part of genesisParts(architecture)) {
    const data = littleEndianBytes(part.data)
    const { cid: tensor } = await tensors.putTensor({ name: part.name, dtype: 'fp32', shape: part.shape, data })
    const { blockType, layer, shape } = described.get(part.name)!
    made.push({ name: part.name, blockType, layer, shape: [...shape], tensor })
  }
  const world = new RoundWorld({ model: { architecture: JSON.parse(JSON.stringify(architecture)), parts: made } })
  return { world, tensors, folder: await temporaryFolder(t) }
}

/** The chain as one account sees it: its events are final at once. */
function chainOf(world: RoundWorld, key: SigningKey): LearningChain {
  return {
    genesis: world.genesis,
    state: world.state,
    account: accountOf(key),
    newest: name => ({ name, tensor: newestTensor(world.state, world.genesis, name)! }) as never,
    nowMs: () => world.nowMs,
    changed: async () => {},
    submit: async (type, json) => {
      const refusal = world.apply(key, type, json)
      if (refusal !== '') throw new BlyanError(refusal as ErrorCode)
      return { eventId: '' }
    }
  }
}

const wantedAt = (at: number): number => 0.01 * Math.sin(at)

/** Losses fall the nearer all parts come to one direction: an engine's word for a model that can be foreseen. */
async function score({ changes }: { readonly changes?: ReadonlyMap<string, Float32Array> }): Promise<Float64Array> {
  let [distance, full] = [0, 0]
  for (const { name, length } of parts.all) {
    const change = changes?.get(name)
    for (let at = 0; at < length; at++) {
      distance += (wantedAt(at) - (change?.[at] ?? 0)) ** 2
      full += wantedAt(at) ** 2
    }
  }
  return Float64Array.from({ length: 32 }, (_, sequence) => 2 + distance / full + 0.01 * sequence)
}

function needsOf({ world, tensors }: Place, key: SigningKey) {
  const counts: DutyCounts = { aggregated: 0, replayed: 0, challenged: 0, failoverMs: null }
  return {
    chain: chainOf(world, key),
    parts,
    tensors,
    ensure: async (_: string, tensor: string) => tensors.info(tensor)!,
    scorer: { score, prepare: async () => {}, close: async () => {} },
    sequences: {
      ensure: async () => {},
      bytesEach: (tokens: number) => tokens + 1,
      batch: async (draws: readonly unknown[], tokens: number) => new Uint32Array(draws.length * (tokens + 1))
    },
    settings: () => learningSettings(world.state, world.genesis),
    isKnownMixed: () => false,
    counts,
    signal: new AbortController().signal,
    logger: silent
  }
}

/** All commit and reveal what pulls each its own way towards the direction. */
async function revealAll(place: Place, keys: readonly SigningKey[]): Promise<void> {
  const { world, tensors, folder } = place
  const bases = new Map(parts.all.map(({ name }) => [name, newestTensor(world.state, world.genesis, name)!]))
  const deltas: { key: SigningKey; delta: string; sizeBytes: number; lineage: Lineage }[] = []
  for (const [at, key] of keys.entries()) {
    const author = accountOf(key)
    const header = {
      network: world.genesis.cid,
      model,
      kind: 'delta',
      round: world.round,
      baseRound: world.round
    } as const
    const { bytes } = await makeDelta({
      header: { ...header, codec: 'lr8+k32', steps: 1, tokens: 8 * sequenceTokens, author },
      parts,
      changes: new Map(
        parts.all.map(({ name, length }) => [
          name,
          Float32Array.from({ length }, (_, index) => 0.6 * wantedAt(index) + 0.003 * Math.cos((at + 3) * index))
        ])
      ),
      bases,
      feedback: createFeedbackStore({ folder: `${folder}/${at}` })
    })
    const seed = Buffer.from(world.assignment(key).seed, 'hex')
    const shards = [{ cid: cid(`${author} texts train`), bytes: 1000 }]
    const lineage = lineageOf({ seed, shards, sequences: 8, sequenceTokens, bytesEach: sequenceTokens + 1 }, 1)
    const { cid: delta } = await storeBytes(tensors, 'delta', bytes)
    deltas.push({ key, delta, sizeBytes: bytes.length, lineage })
  }
  world.deltaOf = key => deltas.find(one => one.key === key)!.delta
  for (const { key } of deltas) assert.equal(world.commitDelta(key), '')
  for (const { key, delta: _, ...more } of deltas) assert.equal(world.reveal(key, more), '')
  assert.equal(world.phase, 'aggregating')
}

function withLearners(world: RoundWorld, regions: readonly string[]): SigningKey[] {
  return regions.map((region, place) => {
    const key = learnerKey(place)
    assert.equal(world.join(key, { region }), '')
    assert.equal(world.corpus(key), '')
    return key
  })
}

type Duty = { look(): void; settle(): Promise<void> }

/** Looks again and again, as a node does, until it is so. */
async function until(what: string, looks: readonly Duty[], isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (isSo()) return
    for (const one of looks) one.look()
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error(`never: ${what}`)
}

function resultTensors({ world }: Place): Record<string, string | null> {
  return Object.fromEntries(resultsOf(world.state, model).map(({ name, tensor }) => [name, tensor]))
}

async function aggregated(
  t: TestContext,
  silentPlace: number | undefined
): Promise<{ tensors: object; replayed: number }> {
  const place = await openPlace(t)
  const { world } = place
  await revealAll(place, withLearners(world, ['here', 'here']))
  const needs = [0, 1, 2, 3].filter(one => one !== silentPlace).map(one => needsOf(place, operatorKey(one)))
  const duties = needs.map(one => createAggregationDuty(one, world.now))
  const names = roundParts(world.state, model)
  const late = names.filter(
    name =>
      silentPlace !== undefined &&
      primariesOf(world.state, world.genesis, model, name)[0] === accountOf(operatorKey(silentPlace))
  )
  await until('primaries', duties, () => resultsOf(world.state, model).length === names.length - late.length)
  if (late.length > 0) {
    // Not before it is late, and then all of it at once.
    for (let turn = 0; turn < 20; turn++) await until('a moment', duties, () => turn >= 0)
    assert.equal(world.phase, 'aggregating')
    world.nowMs = world.now.phaseAtMs + needs[0]!.settings().aggregateMs
    await until('backups', duties, () => world.phase !== 'aggregating')
    assert.ok(needs.some(({ counts }) => counts.failoverMs !== null && counts.failoverMs < 3000))
  }
  await until('replays', duties, () => needs.every(({ counts }) => counts.replayed > 0))
  assert.ok(needs.every(({ counts }) => counts.challenged === 0))
  assert.ok(names.every(name => !isChallenged(world.state, model, name)))
  await Promise.all(duties.map(duty => duty.settle()))
  return {
    tensors: resultTensors(place),
    replayed: needs.reduce((sum, { counts }) => sum + counts.replayed, 0)
  }
}

test('a primary that is silent is replaced, and all parts become the same bytes as without its silence', async t => {
  const undisturbed = await aggregated(t, undefined)
  const disturbed = await aggregated(t, 2)
  assert.equal(Object.keys(undisturbed.tensors).length, parts.all.length)
  assert.deepEqual(disturbed.tensors, undisturbed.tensors)
  assert.ok(undisturbed.replayed >= parts.all.length)
})

test('a region of three is summed up by one account, and primaries take the sum in place of its deltas', async t => {
  const place = await openPlace(t)
  const { world } = place
  const keys = withLearners(world, ['north', 'north', 'north', 'south'])
  await revealAll(place, keys)
  const [elected] = edgeOf(world.state, world.genesis, model, 'north')
  assert.deepEqual(edgeOf(world.state, world.genesis, model, 'south'), [])
  const everybody = [...keys, ...[0, 1, 2, 3].map(operatorKey)]
  const looks = [
    ...everybody.map(key => createEdgeDuty(needsOf(place, key), world.now)),
    ...[0, 1, 2, 3].map(one => createAggregationDuty(needsOf(place, operatorKey(one)), world.now))
  ]
  await until('results', looks, () => world.phase !== 'aggregating')
  const [edge] = edgesOf(world.state, model)
  assert.equal(edge!.author, elected)
  assert.deepEqual(
    edge!.accepted.map(({ account }) => account),
    keys.slice(0, 3).map(accountOf)
  )
  for (const { edges, accepted } of aggregatesOf(world.state, model)) {
    assert.deepEqual(edges, [{ region: 'north', update: edge!.update }])
    assert.deepEqual(
      accepted.map(({ account }) => account),
      [accountOf(keys[3]!)]
    )
  }
  assert.ok(Object.values(resultTensors(place)).every(tensor => tensor !== null))
  assert.equal(revealsOf(world.state, model).length, 4)
  await Promise.all(looks.map(duty => duty.settle()))
})

test('who says of a part what its list does not make is challenged with the right bytes', async t => {
  const place = await openPlace(t)
  const { world } = place
  await revealAll(place, withLearners(world, ['here', 'here']))
  const [name] = roundParts(world.state, model)
  const liar = world.primaries(name!)[0]!
  const wrong = place.world.genesis.file.model.parts.find(part => part.name !== name)!.tensor
  assert.equal(world.aggregate(liar, [name!], { parts: [{ name, tensor: wrong }], update: null, updateBytes: 0 }), '')
  const honest = [0, 1, 2, 3].map(operatorKey).filter(key => accountOf(key) !== accountOf(liar))
  const needs = honest.map(key => needsOf(place, key))
  const looks = needs.map(one => createAggregationDuty(one, world.now))
  await until('the right bytes', looks, () =>
    resultsOf(world.state, model).some(result => result.name === name && result.isReplaced)
  )
  assert.notEqual(resultTensors(place)[name!], wrong)
  assert.ok(place.tensors.info(resultTensors(place)[name!]!) !== undefined)
  assert.ok(needs.filter(({ counts }) => counts.challenged > 0).length >= 2)
  await Promise.all(looks.map(duty => duty.settle()))
})

test('the sum of a region that makes the model worse is not used: its deltas are taken one by one', async t => {
  const place = await openPlace(t)
  const { world, tensors, folder } = place
  const keys = withLearners(world, ['north', 'north', 'north', 'south'])
  await revealAll(place, keys)
  const [elected] = edgeOf(world.state, world.genesis, model, 'north')
  const { bytes } = await makeDelta({
    header: {
      network: world.genesis.cid,
      model,
      kind: 'update',
      round: world.round,
      baseRound: world.round,
      codec: 'int4',
      steps: 1,
      tokens: 1,
      author: elected!
    },
    parts,
    changes: new Map(
      parts.all.map(({ name, length }) => [name, Float32Array.from({ length }, (_, at) => -5 * wantedAt(at))])
    ),
    bases: new Map(parts.all.map(({ name }) => [name, newestTensor(world.state, world.genesis, name)!])),
    feedback: createFeedbackStore({ folder: `${folder}/edge` })
  })
  const { cid: update } = await storeBytes(tensors, 'update', bytes)
  const accepted = world.accepted().slice(0, 3)
  const edge = keys.find(key => accountOf(key) === elected)!
  const sum = { region: 'north', update, updateBytes: bytes.length, accepted, refused: [] }
  assert.equal(world.apply(edge, 'edge-aggregate', { model, round: world.round, ...sum }), '')
  const looks = [0, 1, 2, 3].map(one => createAggregationDuty(needsOf(place, operatorKey(one)), world.now))
  await until('results', looks, () => world.phase !== 'aggregating')
  for (const { edges, accepted: counted } of aggregatesOf(world.state, model)) {
    assert.deepEqual(edges, [])
    assert.deepEqual(
      counted.map(({ account }) => account),
      keys.map(accountOf)
    )
  }
  await Promise.all(looks.map(duty => duty.settle()))
})

test('a list that names a delta which does not count for others is computed again by them all the same', async t => {
  const place = await openPlace(t)
  const { world } = place
  const keys = withLearners(world, ['here', 'here'])
  await revealAll(place, keys)
  const mixed = cid(`${accountOf(keys[0]!)} texts train`)
  const [name] = roundParts(world.state, model)
  const liar = world.primaries(name!)[0]!
  const wrong = world.genesis.file.model.parts.find(part => part.name !== name)!.tensor
  const lie = { parts: [{ name, tensor: wrong }], update: null, updateBytes: 0 }
  assert.equal(world.aggregate(liar, [name!], lie), '')
  const honest = [0, 1, 2, 3].map(operatorKey).filter(key => accountOf(key) !== accountOf(liar))
  const looks = honest.map(key =>
    createAggregationDuty({ ...needsOf(place, key), isKnownMixed: shard => shard === mixed }, world.now)
  )
  await until('the right bytes', looks, () =>
    resultsOf(world.state, model).some(result => result.name === name && result.isReplaced)
  )
  await Promise.all(looks.map(duty => duty.settle()))
})

test('what was fetched and cannot be opened does not stay on the disk, and endless lineages are not waited for', async t => {
  const place = await openPlace(t)
  const { world, tensors } = place
  await revealAll(place, withLearners(world, ['here', 'here', 'here']))
  const [first, second, third] = revealsOf(world.state, model)
  const data = new Uint8Array(5000).fill(7)
  const garbage = { name: 'delta', dtype: 'int8', shape: [data.length], data } as const
  const { cid: junk } = await tensors.putTensor(garbage)
  await tensors.remove(junk)
  const needs = {
    ...needsOf(place, operatorKey(0)),
    tensors: {
      fetchTensor: async (asked: string) => tensors.info(asked) ?? (await tensors.putTensor(garbage)),
      info: (asked: string) => tensors.info(asked),
      remove: (asked: string) => tensors.remove(asked)
    }
  }
  const endless = { ...third!, lineage: { ...third!.lineage, steps: 100_000, tokens: 100_000 * sequenceTokens } }
  const gated = await gateReveals(needs, world.now, [{ ...first!, delta: junk, sizeBytes: 6000 }, second!, endless], {
    timeoutMs: 400,
    signal: needs.signal
  })
  assert.deepEqual(
    gated.refused.map(({ account, reason }) => [account, reason]),
    [[first!.account, 'invalid']]
  )
  assert.deepEqual(
    gated.accepted.map(({ account }) => account),
    [second!.account]
  )
  assert.equal(tensors.info(junk), undefined)
  assert.notEqual(tensors.info(second!.delta), undefined)
})

test('deltas that do not fit into memory beside smaller ones are left out, and nobody is blamed for it', async t => {
  const place = await openPlace(t)
  await revealAll(place, withLearners(place.world, ['here', 'here']))
  const [first, second] = revealsOf(place.world.state, model)
  const needs = needsOf(place, operatorKey(0))
  const full = { ...first!, sizeBytes: roundRules.gateBytesMax }
  const gated = await gateReveals(needs, place.world.now, [full, second!], { timeoutMs: 2000, signal: needs.signal })
  assert.deepEqual(gated.refused, [])
  assert.deepEqual(
    gated.accepted.map(({ account }) => account),
    [second!.account]
  )
})
