import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { learnerOf, readRound, revealsOf, roundHistory, trustOf } from '../../src/learning/index.ts'
import { balanceOf } from '../../src/ledger/index.ts'
import type { BlyanNode } from '../../src/node/index.ts'
import { HostileLearner } from './hostile-learner.ts'
import { startLearningNetwork, until, writeTexts } from './learning-network.ts'

const model = 'genesis'

function phaseOf(node: BlyanNode): string {
  const round = readRound(node.ledger.state, model)
  return round === undefined ? 'none' : `${round.number} ${round.phase}`
}

async function lossOf(node: BlyanNode): Promise<number> {
  const text = new TextEncoder().encode(
    'the net learns from many small texts and every node that reads one says. '.repeat(8)
  )
  return (await node.evaluate({ text, timeoutMs: 30_000 })).lossNatsPerByte
}

test('a network learns, pays who helped and nobody else, and goes on after a restart', async t => {
  const { nodes, root } = await startLearningNetwork(t, {
    validators: 1,
    learners: 2,
    parameters: { learningWindowMs: '3500' }
  })
  const [first, honest, other] = nodes as [BlyanNode, BlyanNode, BlyanNode]
  const { ledger } = first
  const hostile = new HostileLearner(other, other.ledger.account)
  const texts = writeTexts(join(root, 'texts'), 1)
  // A window ends when all who were there have committed: the honest one must be about to.
  const isTraining = (): boolean => {
    const { state, learner } = honest.learning.status()
    return state === 'training' && (learner?.stepsInWindow ?? 0) > 0
  }

  await assert.rejects(honest.learning.start({ folder: join(root, 'nowhere') }), { code: 'CORPUS_UNREADABLE' })
  await assert.rejects(honest.learning.start({ folder: texts, parts: ['layer9.*'] }), { code: 'LEARNING_PART_UNKNOWN' })
  await assert.rejects(honest.learning.start({ folder: texts, codec: 'gzip' }), { code: 'LEARNING_CODEC_UNKNOWN' })
  assert.equal(honest.learning.status().state, 'failed')
  const before = await lossOf(first)

  await honest.learning.start({ folder: texts })
  await hostile.join()
  await assert.rejects(honest.learning.start({ folder: texts }), { code: 'LEARNING_RUNNING' })

  await t.test('what is not finite counts for nothing, and the rest is adopted', async () => {
    const number = await bothRevealed(first, () => hostile.offer(values => values.fill(Number.NaN), isTraining))
    await until('the next round', () => (readRound(ledger.state, model)?.number ?? 0) > number, 90_000)
    const round = roundHistory(ledger.state, model).find(one => one.number === number)
    assert.equal(round!.result, 'adopted')
    assert.equal(round!.accepted, 1)
    assert.ok(BigInt(round!.paidUnits) > 0n)
    const bad = learnerOf(ledger.state, model, hostile.account)!.outcome!
    assert.equal(bad.isAccepted, false)
    assert.ok(['not-finite', 'invalid'].includes(bad.reason), bad.reason)
    assert.equal(bad.paidUnits, '0')
    assert.ok(trustOf(ledger.state, hostile.account).failuresInRow >= 1)
    const good = learnerOf(ledger.state, model, honest.ledger.account)!.outcome!
    assert.deepEqual([good.isAccepted, good.reason], [true, 'none'])
    assert.ok(trustOf(ledger.state, honest.ledger.account).successesInRow >= 1)
    assert.ok(
      BigInt(good.paidUnits) > 0n && balanceOf(ledger.state, honest.ledger.account, 'BLY') >= BigInt(good.paidUnits)
    )
    assert.equal(balanceOf(ledger.state, hostile.account, 'BLY'), 0n)
    const after = await lossOf(first)
    assert.ok(after < before - 0.5, `${before} -> ${after}`)
    await until(
      'told',
      () =>
        honest.learning.status().learner?.deltas.accepted ===
        roundHistory(ledger.state, model).filter(({ result }) => result === 'adopted').length
    )
    const { duties } = first.learning.status()
    assert.ok(duties.measured >= 1 && duties.accepted >= 1)
  })

  await t.test('a learner that stops leaves, and goes on where it was', async () => {
    const { step } = honest.learning.status().learner!
    await honest.learning.stop()
    assert.equal(honest.learning.status().state, 'off')
    assert.equal(learnerOf(ledger.state, model, honest.ledger.account), undefined)
    await honest.learning.start({ folder: texts })
    await until('a step', () => (honest.learning.status().learner?.step ?? 0) > 0)
    assert.ok(honest.learning.status().learner!.step > step)
  })
})

/** A busy machine may miss a window: tried until a round has what both revealed, and aggregates. Resolves to its number. */
async function bothRevealed(node: BlyanNode, offer: () => Promise<unknown>): Promise<number> {
  const { state } = node.ledger
  for (let attempt = 0; attempt < 8; attempt++) {
    await offer().catch(() => {})
    await until('no window', () => !/training|revealing/.test(phaseOf(node)))
    if (phaseOf(node).endsWith('aggregating') && revealsOf(state, model).length === 2)
      return readRound(state, model)!.number
  }
  throw new Error('never did both reveal in one round')
}
