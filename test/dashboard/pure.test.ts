import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sampleLearner, sampleLearning } from '../api/learning-double.ts'
import { staticModule } from './static-module.ts'

type Block = { cid: string; chain_id: string; index: number; depends_on: string[] }
type Lanes = Record<string, Block[]>
type Step = { chain: string; place?: number; leads?: string }

const format = await staticModule<{
  coins(units: string): string
  shortId(text: string): string
  duration(ms: number): string
  size(bytes: number): string
}>('format.js')
const { EventParser } = await staticModule<{
  EventParser: new () => { push(text: string): { event: string; data: string }[] }
}>('event-parser.js')
const dag = await staticModule<{
  chainIds: string[]
  windowAround(index: number | undefined, height: number, size?: number): number
  linksBetween(blocks: Block[]): { from: Block; to: Block }[]
  dependents(blocks: Block[], cid: string): Block[]
  walk(key: string, lanes: Lanes, chain: string, place: number): Step | undefined
  linkPath(from: object, to: object, sameChain: boolean): string
}>('dag-window.js')
const grid = await staticModule<{
  splitName(name: string): { model: string; part: string }
  groupParts(experts: object[]): { name: string; rows: { layer: number; items: { part: string }[] }[] }[]
  cellTone(part: object): string
  walkGrid(key: string, rows: { items: object[] }[], row: number, column: number): { row: number; column: number }
}>('expert-grid.js')
const { Activity } = await staticModule<{
  Activity: new () => {
    note(timeMs: number, counters: { events: number; rounds: number }): void
    points: readonly { eventsPerSecond: number; roundsPerSecond: number }[]
    columns(): number[][]
  }
}>('activity.js')
const { ChatAnswer } = await staticModule<{
  ChatAnswer: new () => {
    text: string
    notes: object
    tokens: number | null
    finish: string | null
    take(message: object): void
  }
}>('chat-stream.js')
const { shortLabel } = await staticModule<{
  shortLabel(block: { expert_name: string | null; block_type: string }): string
}>('block-words.js')

const learning = await staticModule<{
  learningWords(status: object): { headline: string; tone: string }
  outcomeText(outcome: object): string
  lossText(candidate: object): string
  roundFacts(round: object | null): [string, string][]
  learnerFacts(learner: object): [string, string][]
}>('learning-words.js')

test('learning is told in words: its state, what became of a delta, what was measured', () => {
  const words = learning.learningWords({ state: 'failed', failure: { message: 'the disk is full' } })
  assert.deepEqual([words.headline, words.tone], ['Learning failed: the disk is full', 'bad'])
  assert.equal(learning.learningWords({ state: 'training', failure: null }).tone, 'good')
  assert.equal(
    learning.outcomeText(sampleLearner.outcomes[0]!),
    'Round 1: accepted, gain 0.00200 nats per token, 53.0 KiB, earned 1.5 BLY'
  )
  assert.equal(
    learning.outcomeText(sampleLearner.outcomes[1]!),
    'Round 2: refused, no better on text that nobody trains on'
  )
  assert.equal(learning.lossText(sampleLearning.candidates[0]!), '5.5000 → 5.2500')
  assert.equal(learning.lossText({ beforeNano: null, afterNano: null }), '')
  assert.deepEqual(learning.roundFacts(sampleLearning.round)[2], ['Time left', '9.0 s'])
  assert.match(learning.learnerFacts(sampleLearner)[0]![1], /^3 files, 29\.3 KiB to learn from, 2\.0 KiB held out$/)
  assert.equal(learning.learnerFacts({ ...sampleLearner, corpus: null, lossNats: null })[1]![1], 'no step yet')
})

test('amounts are shown exactly as far as they are shown, and never rounded up', () => {
  const cases = [
    ['0', '0'],
    ['1', '0.000000001'],
    ['1000000000', '1'],
    ['1500000000', '1.5'],
    ['234462600000', '234.4626'],
    ['1999999999999', '1,999'],
    ['-12500000000', '−12.5']
  ] as const
  for (const [units, shown] of cases) assert.equal(format.coins(units), shown)
})

test('lengths of time and sizes have the unit that fits', () => {
  assert.deepEqual([0, 850, 1500, 12_400, 300_000, 7_200_000, 500_000_000].map(format.duration), [
    '0 ms',
    '850 ms',
    '1.5 s',
    '12 s',
    '5 min',
    '2 h',
    '6 days'
  ])
  assert.deepEqual([0, 1023, 1024, 5 << 20].map(format.size), ['0 B', '1023 B', '1.0 KiB', '5.0 MiB'])
  assert.equal(format.shortId('12D3KooWLU657wJwuCrigLLE'), '12D3Ko…igLLE'.replace('igLLE', 'rigLLE'))
})

test('server-sent events come out the same however they are cut', () => {
  const sent = ': still here\n\nevent: status\ndata: {"a":1}\n\ndata: one\ndata: two\n\nevent: done\r\ndata: ü\r\n\r\n'
  const whole = new EventParser().push(sent)
  assert.deepEqual(whole, [
    { event: 'status', data: '{"a":1}' },
    { event: 'message', data: 'one\ntwo' },
    { event: 'done', data: 'ü' }
  ])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), steps => {
      const parser = new EventParser()
      const found = []
      let at = 0
      for (let turn = 0; at < sent.length; turn++) {
        const step = steps[turn % steps.length]!
        found.push(...parser.push(sent.slice(at, at + step)))
        at += step
      }
      assert.deepEqual(found, whole)
    })
  )
})

const lanesOf = (lengths: readonly number[]): Lanes =>
  Object.fromEntries(
    dag.chainIds.map((chain, row) => [
      chain,
      Array.from({ length: lengths[row]! }, (_, index) => ({
        cid: `${chain}${index}`,
        chain_id: chain,
        index,
        depends_on: []
      }))
    ])
  )

test('wherever the arrows lead, there is a block; along a chain they lead back', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 4, maxLength: 4 })
  const keys = fc.array(fc.constantFrom('ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'))
  fc.assert(
    fc.property(lengths, keys, (amounts, pressed) => {
      const lanes = lanesOf(amounts)
      const first = dag.chainIds.find(chain => lanes[chain]!.length > 0)
      if (first === undefined) return
      let at = { chain: first, place: 0 }
      for (const key of pressed) {
        const to = dag.walk(key, lanes, at.chain, at.place)!
        if (to.leads !== undefined) continue
        assert.ok(lanes[to.chain]![to.place!] !== undefined, `${key} from ${JSON.stringify(at)}`)
        if (key === 'ArrowRight') assert.equal(dag.walk('ArrowLeft', lanes, to.chain, to.place!)!.place, at.place)
        at = { chain: to.chain, place: to.place! }
      }
    })
  )
  assert.equal(dag.walk('a', lanesOf([1, 1, 1, 1]), 'A', 0), undefined)
  assert.equal(dag.walk('ArrowLeft', lanesOf([1, 1, 1, 1]), 'A', 0)!.leads, 'older')
})

test('the window holds the block it is made around, and never goes past the newest', () => {
  fc.assert(
    fc.property(fc.nat(500), fc.nat(499), fc.integer({ min: 1, max: 40 }), (height, index, size) => {
      const start = dag.windowAround(index, height, size)
      assert.ok(start >= 0 && start <= Math.max(0, height - size))
      if (index < height) assert.ok(index >= start && index < start + size)
    })
  )
})

test('links join blocks in sight, in the direction of their dependence', () => {
  const blocks = [
    { cid: 'a', chain_id: 'A', index: 0, depends_on: [] },
    { cid: 'b', chain_id: 'B', index: 0, depends_on: ['a', 'gone'] },
    { cid: 'c', chain_id: 'B', index: 1, depends_on: ['b'] }
  ]
  assert.deepEqual(
    dag.linksBetween(blocks).map(({ from, to }) => from.cid + to.cid),
    ['ba', 'cb']
  )
  assert.deepEqual(
    dag.dependents(blocks, 'a').map(block => block.cid),
    ['b']
  )
  const [low, high] = [
    { x: 0, y: 100, width: 60, height: 40 },
    { x: 200, y: 0, width: 60, height: 40 }
  ]
  assert.equal(dag.linkPath(low, high, false), 'M30 100C30 70 230 70 230 40')
})

test('parts are sorted by model and layer, and a model that was imported is its own', () => {
  const part = (name: string, layer: number | null, holders = 0) => {
    const blockType = /expert\d+$/.test(name) ? 'expert' : 'router'
    return { name, layer, blockType, local: false, holders }
  }
  const models = grid.groupParts([
    part('layer0.expert10', 0),
    part('layer0.expert2', 0),
    part('layer0.router', 0),
    part('embedding', null),
    part('olmoe.layer1.expert0', 1),
    part('olmoe.output', null)
  ])
  assert.deepEqual(
    models.map(({ name, rows }) => [name, rows.map(({ layer, items }) => [layer, ...items.map(item => item.part)])]),
    [
      [
        'genesis',
        [
          [-1, 'embedding'],
          [0, 'layer0.router', 'layer0.expert2', 'layer0.expert10']
        ]
      ],
      [
        'olmoe',
        [
          [-1, 'output'],
          [1, 'layer1.expert0']
        ]
      ]
    ]
  )
  assert.deepEqual(
    [
      { local: true, holders: 0 },
      { local: false, holders: null },
      ...[0, 1, 7].map(holders => ({ local: false, holders }))
    ].map(grid.cellTone),
    ['here', 'unknown', 'nowhere', 'one', 'many']
  )
  const tones = (holders: number): string[] =>
    grid
      .groupParts([part('layer0.expert0', 0), part('layer0.expert1', 0, holders), part('layer0.router', 0)])[0]!
      .rows[0]!.items.map(grid.cellTone)
  assert.deepEqual(tones(0), ['unknown', 'unknown', 'unknown'])
  assert.deepEqual(tones(1), ['unknown', 'nowhere', 'one'])
  const rows = [{ items: [1, 2, 3].map(Object) }, { items: [1].map(Object) }]
  assert.deepEqual(grid.walkGrid('ArrowDown', rows, 0, 2), { row: 1, column: 0 })
  assert.deepEqual(grid.walkGrid('ArrowRight', rows, 1, 0), { row: 1, column: 0 })
})

test('blocks have short names that fit', () => {
  const cases = [
    ['layer3.expert7', 'expert', 'L3·E7'],
    ['olmoe.layer12.expert63', 'expert', 'L12·E63'],
    ['layer0.router', 'router', 'L0·router'],
    ['embedding', 'embedding', 'embedding'],
    [null, 'health-observation', 'health']
  ] as const
  for (const [expert_name, block_type, shown] of cases) assert.equal(shortLabel({ expert_name, block_type }), shown)
})

test('rates come from counters, survive a restart of the node and are bounded', () => {
  const activity = new Activity()
  activity.note(0, { events: 100, rounds: 10 })
  activity.note(2000, { events: 110, rounds: 12 })
  activity.note(2100, { events: 999, rounds: 99 })
  activity.note(4000, { events: 5, rounds: 14 })
  assert.deepEqual(
    activity.points.map(({ eventsPerSecond, roundsPerSecond }) => [eventsPerSecond, roundsPerSecond]),
    [
      [5, 1],
      [0, 1]
    ]
  )
  for (let second = 5; second < 2000; second++) activity.note(second * 1000, { events: second, rounds: second })
  assert.equal(activity.columns().length, 3)
  assert.ok(activity.points.length <= 600)
})

test('an answer is put together from its pieces, and an error in its midst is one', () => {
  const answer = new ChatAnswer()
  const chunk = (value: object) => ({ data: JSON.stringify(value) })
  answer.take(chunk({ choices: [{ delta: { role: 'assistant' } }], blyan: { plan: { why: 'because' } } }))
  answer.take(chunk({ choices: [{ delta: { content: 'Hel' } }] }))
  answer.take(chunk({ choices: [{ delta: { content: 'lo' }, finish_reason: 'stop' }], blyan: { costUnits: '7' } }))
  answer.take(chunk({ choices: [], usage: { completion_tokens: 2 } }))
  answer.take({ data: '[DONE]' })
  assert.deepEqual([answer.text, answer.finish, answer.tokens], ['Hello', 'stop', 2])
  assert.deepEqual(answer.notes, { plan: { why: 'because' }, costUnits: '7' })
  assert.throws(() => answer.take(chunk({ error: { message: 'no holder is left', code: 'X' } })), /no holder is left/)
})
