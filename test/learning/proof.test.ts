import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blocksOf, isOfOtherKind, lineageOf } from '../../src/datasets/index.ts'
import type { Architecture } from '../../src/experts/index.ts'
import {
  type Candidate,
  createMeasurer,
  createModelParts,
  type LearningChain,
  type MeasuredModel
} from '../../src/learning/index.ts'
import { keyOf } from '../dag/small-network.ts'
import { sampleText } from '../datasets/texts.ts'
import { cid, hex } from './chain/round-world.ts'
import { tinyArchitecture } from './learning-network.ts'
import { added, changeOf, openProofWorld, type ProofWorld, type Values } from './proof-world.ts'

const [alice, bob, carol] = [keyOf('alice'), keyOf('bob'), keyOf('carol')]
const said = ({ verdict, reason }: { verdict: string; reason: string }) => `${verdict} ${reason}`

/** Lines that nobody can foresee: all that can be learnt of them is how digits look, or the lines themselves. */
const digits = (seed: string, lines: number): string =>
  Array.from({ length: lines }, (_, line) => `${hex(`${seed} ${line}`)}\n`).join('')

/** Sections of a thousand bytes, each about things of its own: what is learnt of one says nothing of the others. */
function sections(seed: string, count: number): string {
  return Array.from({ length: count }, (_, section) => {
    const words = Array.from({ length: 6 }, (_, word) =>
      hex(`${seed} ${section} ${word}`)
        .slice(0, 6)
        .replaceAll(/\d/g, digit => 'ghijklmnop'[Number(digit)]!)
    )
    const order = hex(`${seed} ${section}`)
    return Array.from({ length: 20 }, (_, line) =>
      Array.from({ length: 7 }, (_, at) => words[Number.parseInt(order[(line * 7 + at * 3) % 64]!, 16) % 6]).join(' ')
    ).join('\n')
  }).join('\n')
}

async function requireVerdict(w: ProofWorld, wanted: string, values: Values, lineage: object, author = alice) {
  assert.equal(await w.propose(author, values, lineage as never), '')
  const found = await w.measured()
  assert.equal(said(found), wanted, JSON.stringify(found))
  return found
}

test('each kind of candidate meets its verdict, by models that were really trained', async t => {
  const w = await openProofWorld(t, 60, sampleText(60_000, 'base'))
  const own = await w.publishText(alice, sampleText(60_000, 'alice'))
  const others = await w.publishText(bob, sampleText(60_000, 'bob'))
  const good = await w.trained(own.training, 40)
  const change = changeOf(w.base, good.values)

  await t.test('good: accepted by a quorum, each on text of its own', async () => {
    const first = await requireVerdict(w, 'accept none', good.values, good.lineage)
    assert.equal(first.sequences, 64)
    assert.ok(first.gainNano! - 2 * first.errorNano! > first.beforeNano! * 0.0005)
    const others = [await w.measured(1), await w.measured(2)]
    assert.deepEqual(others.map(said), ['accept none', 'accept none'])
    assert.equal(new Set([first, ...others].map(({ beforeNano }) => beforeNano)).size, 3)
    assert.equal(w.world.candidate('1').status, 'approved')
  })

  await t.test('copied: scaled, with noise, by somebody else', async () => {
    const noisy = (factor: number): Values =>
      new Map(
        [...change].map(([name, values]) => [
          name,
          values.map((value, at) => w.base.get(name)![at]! + factor * value * (1 + 0.15 * Math.sin(at * 97)))
        ])
      )
    await requireVerdict(w, 'refuse copied', noisy(0.9), good.lineage, carol)
    await requireVerdict(w, 'refuse copied', new Map([...noisy(1.1)].slice(0, 1)), good.lineage, carol)
    assert.equal((await w.measurer(1).find(w.world.candidate('1'), w.model, signal())).reason, 'none')
  })

  await t.test('without effect: the same values, or next to the same', async () => {
    assert.equal(await w.propose(bob, w.base, good.lineage), 'CANDIDATE_NO_CHANGE')
    assert.equal(await w.propose(bob, w.base, good.lineage, 'renamed'), '')
    assert.equal(said(await w.measured()), 'refuse no-change')
    const nearly = added(w.base, new Map([['layer0.expert0', new Float32Array(3072).fill(1e-6)]]))
    await requireVerdict(w, 'refuse no-gain', nearly, good.lineage, bob)
  })

  await t.test('poisoned: turned round, random, no number, far too large', async () => {
    await requireVerdict(w, 'refuse poisoned', added(w.base, change, -4), good.lineage)
    const random = [...w.base].map(([name, values]) => [name, values.map((_, at) => 0.3 * Math.sin(at * at))] as const)
    await requireVerdict(w, 'refuse poisoned', added(w.base, new Map(random)), good.lineage)
    const broken = new Map([['layer0.attention', good.values.get('layer0.attention')!.with(7, Number.NaN)]])
    const found = await requireVerdict(w, 'refuse poisoned', broken, good.lineage)
    assert.deepEqual([found.sequences, found.beforeNano], [0, null])
    await requireVerdict(w, 'refuse poisoned', added(w.base, change, 1e9), good.lineage)
  })

  await t.test('lineage: batches that were not drawn so, and text to train on that hides held-out text', async () => {
    const other = { ...good.lineage, batchesDigest: hex('other') }
    await requireVerdict(w, 'refuse lineage', added(w.base, change, 1.01), other)
    const [shard] = own.training
    const [heldOut] = own.heldOut
    const mixed = Buffer.concat([await w.sequences.text(shard!), await w.sequences.text(heldOut!)])
    assert.ok([...blocksOf(mixed)].some(block => isOfOtherKind(block, 'training')))
    const shape = [mixed.length]
    const stored = await w.tensors.putTensor({ name: 'text-shard', dtype: 'int8', shape, data: mixed })
    w.announce(carol, [{ cid: stored.cid, bytes: mixed.length }], own.heldOut)
    const claimed = await w.trained([{ cid: stored.cid, bytes: mixed.length }], 1)
    await requireVerdict(w, 'refuse lineage', added(w.base, change, 1.02), claimed.lineage)
  })

  await t.test('unavailable: values that nobody has, and text whose publisher is gone is done without', async () => {
    const parts = [{ name: 'layer0.router', tensor: cid('nowhere') }]
    assert.equal(w.world.propose(bob, parts, { lineage: good.lineage }), '')
    assert.equal(said(await w.measured()), 'refuse unavailable')
    w.announce(carol, [{ cid: cid('gone'), bytes: 90_000 }], [{ cid: cid('gone too'), bytes: 90_000 }])
    await requireVerdict(w, 'accept none', added(w.base, change, 1.03), good.lineage)
  })

  await t.test('a round: with the lineage of one of its learners, and refused for a false one', async () => {
    const { world } = w
    const texts = new Map([
      [alice, own],
      [bob, others]
    ])
    for (const key of texts.keys()) assert.equal(world.join(key), '')
    const verdictOf = async (isTrue: boolean) => {
      let values: Values = new Map()
      for (const key of texts.keys()) assert.equal(world.commitDelta(key), '')
      for (const [key, { training }] of texts) {
        const trained = await w.trained(training, isTrue ? 15 : 2, '')
        values = trained.values
        const lineage = { ...trained.lineage, ...lineageFor(w, key, training, isTrue) }
        assert.equal(world.reveal(key, { lineage }), '')
      }
      const made = await Promise.all(
        [...values].map(async ([name, data]) => {
          const { shape } = w.parts.named(name)!
          const bytes = new Uint8Array(data.buffer)
          return { name, tensor: (await w.tensors.putTensor({ name, dtype: 'fp32', shape, data: bytes })).cid }
        })
      )
      for (const part of made)
        assert.equal(world.aggregate(world.primaries(part.name)[0]!, [part.name], { parts: [part] }), '')
      const found = await w.measured()
      return said(found)
    }
    assert.equal(await verdictOf(true), 'accept none')
    assert.deepEqual([said(await w.measured(1)), said(await w.measured(2))], ['accept none', 'accept none'])
    assert.equal(world.newestCandidate!.status, 'approved')
    world.commit(60_000)
    assert.equal(await verdictOf(false), 'refuse lineage')
  })

  await t.test('over-fitted: better on its own text and nowhere else', async () => {
    const text = await w.publishText(carol, digits('carol', 420))
    const over = await w.trained(text.training, 40)
    const found = await requireVerdict(w, 'refuse over-fitted', over.values, over.lineage, carol)
    assert.ok(found.gainNano! < 0)
  })
})

test('a round does not wait for proposals that came before it', async () => {
  const measurer = createMeasurer({
    chain: { nowMs: () => 0, newest: () => undefined } as unknown as LearningChain,
    tensors: { fetchTensor: () => Promise.reject(new Error('not asked')), info: () => undefined },
    settings: () => assert.fail('nothing is scored'),
    checkpointDigest: async () => undefined,
    signal: signal(),
    logger: { debug: () => {}, info: () => {}, warn: () => {} }
  })
  const parts = createModelParts('genesis', { ...tinyArchitecture, seed: 'order' } as Architecture)
  const order: string[] = []
  const sources = ['proposal', 'proposal', 'round', 'proposal', 'round'] as const
  const asked = sources.map((source, at) => {
    const candidate = { id: String(at), source, model: 'genesis', dueAtMs: 60_000 } as Candidate
    const measured = measurer.measure(candidate, { parts } as MeasuredModel)
    return assert.rejects(measured, { code: 'MODEL_INCOMPLETE' }).then(() => order.push(`${source} ${at}`))
  })
  await Promise.all(asked)
  assert.deepEqual(order, ['round 2', 'round 4', 'proposal 0', 'proposal 1', 'proposal 3'])
})

test('who has learnt the held-out text itself is found by text beside it', async t => {
  const w = await openProofWorld(t, 140, sections('base', 60))
  const own = await w.publishText(alice, sections('alice', 40))
  const shown = await w.publishText(bob, sections('bob', 40))
  const honest = await w.trained(own.training, 40)
  const cheated = await w.trained(shown.heldOut, 60)
  const found = await requireVerdict(w, 'refuse lineage', cheated.values, honest.lineage)
  assert.ok(found.gainNano! - 2 * found.errorNano! > found.beforeNano! * 0.0005)
  assert.equal(w.world.candidate('1').status, 'measuring')
  await requireVerdict(w, 'accept none', honest.values, honest.lineage)
})

function lineageFor(
  w: ProofWorld,
  key: typeof alice,
  shards: readonly { cid: string; bytes: number }[],
  isTrue: boolean
) {
  const { seed } = w.world.assignment(key)
  if (!isTrue) return { seed: hex('a seed of its own choice') }
  return lineageOf({ ...w.plan(shards, ''), seed: Buffer.from(seed, 'hex') }, 15)
}

function signal(): AbortSignal {
  return new AbortController().signal
}
