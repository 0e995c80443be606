import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ModelEntry, ModelPart } from '../../src/node/answers/answer-types.ts'
import { createExpertBook } from '../../src/node/experts/expert-book.ts'
import { createExpertKeeper, type ExpertKeeperNeeds } from '../../src/node/experts/expert-keeper.ts'
import type { ExpertOffer } from '../../src/node/experts/expert-offers.ts'
import { holdSetting } from '../../src/node/experts/hold-setting.ts'
import { openKeptExperts } from '../../src/node/experts/kept-experts.ts'
import { createRootLogger } from '../../src/node/logging.ts'
import { noiseBytes, openStore, temporaryFolder } from '../tiles/support.ts'
import { tinyArchitecture } from './tiny-registered-model.ts'

const expertBytes = 4096
const hourMs = 3_600_000

/** A keeper with real tensor files, that fetches from a second store; only the engine and the clock are told what to say. */
async function keeperWorld(
  t: TestContext,
  fields: Partial<ExpertKeeperNeeds> & { readonly hold?: string[]; readonly minimum?: number } = {}
) {
  const folder = await temporaryFolder(t)
  const origin = await openStore(t)
  const mine = await openStore(t, { fetchBlock: async cid => (await origin.blockstore.read(cid))! })
  const parts: ModelPart[] = []
  for (let expert = 0; expert < 4; expert++) {
    const part = `layer0.expert${expert}`
    const shape = [expertBytes / 4]
    const { cid } = await origin.tensors.putTensor({
      name: part,
      dtype: 'fp32',
      shape,
      data: noiseBytes(expertBytes, expert + 1)
    })
    const place = { name: `tiny.${part}`, part, blockType: 'expert', layer: 0, expert, block: `b${expert}`, shape }
    const isHere = () => mine.tensors.info(cid) !== undefined
    parts.push(
      Object.defineProperty({ ...place, tensor: cid, lengthBytes: expertBytes, isHere: false }, 'isHere', {
        get: isHere
      })
    )
  }
  const entry: ModelEntry = {
    name: 'tiny',
    architecture: tinyArchitecture,
    isGenesis: false,
    block: 'meta',
    author: null,
    tokenizer: null,
    parts,
    isComplete: true
  }
  const clock = { nowMs: 0 }
  const book = createExpertBook(() => clock.nowMs)
  const dropped: string[] = []
  const logger = createRootLogger({ level: 'silent', format: 'json', logsFolder: folder })
  t.after(() => logger.close())
  const { hold = ['auto'], minimum = 8, ...needs } = fields
  const keeper = createExpertKeeper({
    rules: { fetchUsesMin: minimum },
    catalogue: {
      list: () => [entry],
      findTensor: tensor => {
        const part = parts.find(one => one.tensor === tensor)
        return part === undefined ? undefined : { entry, part }
      }
    },
    tensors: mine.tensors,
    engine: {
      load: async () => assert.fail('nothing is mapped'),
      drop: async (_, part) => void dropped.push(part),
      isMapped: () => false,
      isLoaded: () => false
    },
    book,
    offers: { askNext: async () => [] },
    kept: await openKeptExperts(folder),
    setting: holdSetting(hold),
    serves: false,
    holdersOf: () => 1,
    engineUses: async () => new Map(),
    onMoved: () => {},
    onChange: () => {},
    diskBytesMax: () => 3 * expertBytes,
    nowMs: () => clock.nowMs,
    logger: logger.component('experts'),
    ...needs
  })
  const here = (): string[] => parts.filter(part => part.isHere).map(part => part.part)
  return { keeper, book, clock, parts, entry, here, dropped, folder, store: mine.tensors }
}

test('experts that answers ask others for come here, stay while they are used, and go after an hour without use', async t => {
  const { keeper, book, clock, here, dropped, folder, parts, entry, store } = await keeperWorld(t)
  book.note('tiny.layer0.expert1', 20)
  book.note('tiny.layer0.expert2', 7)
  await keeper.look()
  assert.deepEqual(here(), ['layer0.expert1'])
  assert.deepEqual([...keeper.held(entry)], ['layer0.expert1'])
  assert.equal(store.info(parts[1]!.tensor)?.pinned, true)
  assert.ok((await readFile(join(folder, 'kept-experts.json'), 'utf8')).includes(parts[1]!.tensor))

  clock.nowMs = hourMs - 1
  await keeper.look()
  assert.deepEqual(here(), ['layer0.expert1'])
  clock.nowMs = hourMs
  await keeper.look()
  assert.deepEqual([here(), dropped], [[], ['layer0.expert1']])
  assert.deepEqual([keeper.read().fetched, keeper.read().dropped], [1, 1])
})

test('what somebody else brought, or what has no other holder, does not go', async t => {
  const brought = await keeperWorld(t)
  await brought.store.fetchTensor(brought.parts[0]!.tensor)
  const last = await keeperWorld(t, { holdersOf: () => 0 })
  last.book.note('tiny.layer0.expert3', 50)
  await last.keeper.look()
  for (const { keeper, clock } of [brought, last]) {
    clock.nowMs = 10 * hourMs
    await keeper.look()
  }
  assert.deepEqual([brought.here(), last.here()], [['layer0.expert0'], ['layer0.expert3']])
})

test('the disk budget holds, and the most used experts have it', async t => {
  const { keeper, book, here } = await keeperWorld(t)
  for (const [expert, uses] of [30, 90, 60, 45].entries()) book.note(`tiny.layer0.expert${expert}`, uses)
  await keeper.look()
  assert.deepEqual(here(), ['layer0.expert1', 'layer0.expert2', 'layer0.expert3'])
  book.note('tiny.layer0.expert0', 200)
  await keeper.look()
  assert.deepEqual(here(), ['layer0.expert0', 'layer0.expert1', 'layer0.expert2'])
  assert.equal(keeper.roomBytes(), 0)
})

test('experts that the operator names come without any use, others only by offers a serving node may take', async t => {
  const named = await keeperWorld(t, { hold: ['tiny.layer0.expert3'] })
  named.book.note('tiny.layer0.expert1', 100)
  await named.keeper.look()
  assert.deepEqual(named.here(), ['layer0.expert3'])

  const offered: ExpertOffer[] = []
  const serving = await keeperWorld(t, { serves: true, holdersOf: () => 2, offers: { askNext: async () => offered } })
  offered.push({ tensor: serving.parts[2]!.tensor, uses: 500 }, { tensor: 'bafyunknown', uses: 500 })
  await serving.keeper.look().catch(() => {})
  assert.deepEqual(serving.here(), ['layer0.expert2'])
  const enough = await keeperWorld(t, { serves: true, holdersOf: () => 3, offers: { askNext: async () => offered } })
  await enough.keeper.look()
  assert.deepEqual(enough.here(), [])
})

test('a hot expert is offered while it has too few holders', async t => {
  for (const [holders, count] of [
    [2, 1],
    [3, 0]
  ] as const) {
    const { keeper, book, parts } = await keeperWorld(t, { holdersOf: () => holders })
    book.note('tiny.layer0.expert1', 100)
    book.note('tiny.layer0.expert2', 10)
    await keeper.look()
    assert.deepEqual(
      keeper.hot().map(({ tensor }) => tensor),
      [parts[1]!.tensor].slice(0, count)
    )
  }
})

test('what answers in mode optimised use together comes together; other answers teach no groups', async t => {
  for (const isGrouped of [true, false]) {
    const { keeper, book, here } = await keeperWorld(t, { minimum: 20 })
    if (isGrouped) book.beginGrouping('answer')
    // Expert 3 is used with expert 0 for two tokens of three, and alone not often enough.
    for (let token = 0; token < 24; token++) {
      const experts = token % 3 === 0 ? [0] : [0, 3]
      const rows = new Float32Array(0)
      book.noteCall(
        {
          model: 'tiny',
          layer: 0,
          loads: experts.map(expert => ({ expert, rows, requestOfRow: Uint32Array.of(0) })),
          requests: ['answer'],
          isPrompt: false,
          signal: new AbortController().signal
        },
        (layer, expert) => `tiny.layer${layer}.expert${expert}`
      )
    }
    await keeper.look()
    assert.deepEqual(here(), isGrouped ? ['layer0.expert0', 'layer0.expert3'] : ['layer0.expert0'])
  }
})
