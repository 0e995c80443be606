import assert from 'node:assert/strict'
import { test } from 'node:test'
import { candidatesTable, candidateText, versionsText } from '../../src/cli/candidates-text.ts'
import { learningText, reasonText, roundText } from '../../src/cli/learn-text.ts'
import { createLiveBlock } from '../../src/cli/live-block.ts'
import type { CandidateDetails } from '../../src/node/index.ts'
import { sampleLearner, sampleLearning } from '../api/learning-double.ts'

const candidate: CandidateDetails = {
  id: '7',
  model: 'genesis',
  source: 'proposal',
  round: 0,
  author: 'z6Mk\u001b[31mAuthor',
  status: 'refused',
  reason: 'over-fitted',
  parts: ['layer0.expert3', 'layer0.router'].map(name => ({ name, tensor: `new ${name}`, base: `old ${name}` })),
  openedAt: '2026-01-01T00:00:00Z',
  dueAt: '2026-01-01T00:01:00Z',
  measured: 1,
  beforeNano: 5_000_000_000,
  afterNano: 4_990_000_000,
  lineage: { shards: [{ shard: 'bafy', samples: 10 }], seed: '00', batchesDigest: '00', steps: 5, tokens: 640 },
  measurements: [
    {
      operator: 'z6MkOperator',
      checkpoint: 3,
      sequences: 64,
      beforeNano: 5_000_000_000,
      afterNano: 4_990_000_000,
      gainNano: 10_000_000,
      errorNano: 8_000_000,
      verdict: 'refuse',
      reason: 'over-fitted',
      at: '2026-01-01T00:00:30Z'
    }
  ]
}

test('a candidate is told with its parts, what it was trained on, and who measured what', async () => {
  const text = await candidateText(candidate)
  assert.match(text, /a proposal outside rounds/)
  assert.match(text, /over-fitted: it helps on its own text only/)
  assert.match(text, /640 tokens in 5 steps of 1 shards/)
  assert.match(text, /layer0\.router +new layer0\.router +old layer0\.router/)
  assert.match(text, /z6MkOperator +refuse +over-fitted +5\.00000 +4\.99000 +0\.01000 ± 0\.00800 +64/)
  assert.ok(!text.includes('\u001b[31m'))
  const many = Array.from({ length: 7 }, (_, place) => ({ name: `p${place}`, tensor: 't', base: 'b' }))
  const table = await candidatesTable([
    candidate,
    { ...candidate, source: 'round', round: 3, parts: many, beforeNano: null }
  ])
  assert.match(table, /round 3 +p0 p1 p2 p3 and 3 more +refused/)
})

test('versions of a part are listed so that each can be used', async () => {
  const part = { name: 'layer0.expert0', history: ['b0', 'b1'], tensors: ['t0', 't1'], learning: null }
  const text = await versionsText(part)
  assert.match(text, /0 +t0 +b0\n1 +t1 +b1/)
  assert.match(text, /chat --part layer0\.expert0=t0/)
  const updates = [{ update: 'u', tensor: 't1', sizeBytes: 300 }]
  const learned = await versionsText({ ...part, learning: { snapshot: 't0', updates, candidates: [candidate] } })
  assert.match(learned, /a snapshot and 1 updates of 300 bytes/)
  assert.match(learned, /proposal/)
})

test('what a node learns is told for every state there is', () => {
  const learner = sampleLearner
  for (const state of ['off', 'reading', 'joining', 'training', 'encoding', 'waiting', 'paused', 'stopping'] as const) {
    const text = learningText({ ...sampleLearning, state, learner: state === 'off' ? null : learner })
    assert.match(text, /state +\w/)
    assert.equal(text.includes('tokens/s'), state !== 'off')
  }
  const failure = { code: 'DISK_FULL', message: 'the disk is full', nextStep: 'make room' }
  assert.match(learningText({ ...sampleLearning, state: 'failed', failure }), /DISK_FULL: the disk is full; make room/)
  assert.match(learningText({ ...sampleLearning, round: null }), /none was opened yet/)
  assert.match(roundText(sampleLearning.round!, 60_000), /^3, training, due/)
  assert.equal(reasonText('new\u0007reason'), 'new\ufffdreason')
})

test('a block is written over where it stands, never wider nor higher than the terminal', () => {
  const written: string[] = []
  const stream = { isTTY: true, columns: 40, rows: 5, write: (text: string) => written.push(text) > 0 }
  const block = createLiveBlock(stream as never)
  block.show(`first\n${'x'.repeat(200)}`)
  block.show(Array.from({ length: 20 }, (_, line) => `line ${line}`).join('\n'))
  block.clear()
  block.clear()
  assert.ok(written[0]!.split('\n').every(line => line.length < 40))
  assert.ok(written[1]!.startsWith('\u001b[2A\u001b[J'))
  assert.equal(written[1]!.split('\n').length, 5)
  assert.equal(written[2], '\u001b[4A\u001b[J')
  assert.equal(written.length, 3)
  const nobody = createLiveBlock({ ...stream, isTTY: false } as never)
  nobody.show('x')
  nobody.clear()
  assert.equal(written.length, 3)
})
