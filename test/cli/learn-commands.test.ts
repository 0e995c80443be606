import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { learnTarget } from '../../src/cli/learn-target.ts'
import { type DataFolder, openDataFolder } from '../../src/node/index.ts'
import { type RunningApi, startApi } from '../api/api-fixture.ts'
import { until } from '../experts/model-folder.ts'
import { type CliResult, cli } from './cli-fixture.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-learn-'))
const data = join(base, 'node')
const texts = join(base, 'texts')
let folder: DataFolder
let running: RunningApi

before(async () => {
  mkdirSync(texts)
  folder = await openDataFolder(data)
  // What a data folder looks like once a node was made in it.
  writeFileSync(join(data, 'config.toml'), '')
  mkdirSync(join(data, 'keys'), { recursive: true })
  running = await startApi({ after: () => {} }, await folder.tokens())
  await folder.announceApi(running.url)
})
beforeEach(async () => {
  await running.node.learning.stop()
  running.node.learning.stops = 0
  running.node.learning.started.length = 0
})
after(async () => {
  await running.api.stop()
  await folder.release()
  rmSync(base, { recursive: true, force: true })
})

const learnHere = (...args: string[]): Promise<CliResult> => cli(['learn', '--data', texts, ...args, '--data', data])

/** Runs until this node learns, then decides a delta of its. */
async function decided(command: Promise<CliResult>): Promise<CliResult> {
  const { learning } = running.node
  await learning.stop()
  learning.started.length = 0
  learning.stops = 0
  await until(() => learning.started.length > 0 && learning.listeners > 0, 20_000)
  learning.setLearner({
    deltas: { committed: 1, accepted: 1, refused: 0, pending: 0 },
    outcomes: [
      { round: 3, accepted: true, reason: 'none', gainNano: 1_500_000, sizeBytes: 2048, earnedUnits: '2500000000' }
    ]
  })
  return command
}

test('learn --data TEXTS tells what it reads, how it goes and what became of its delta, and stops in order', async () => {
  const { code, stdout, stderr } = await decided(
    learnHere('--once', '--codec', 'int8', '--parts', 'layer0.*,embedding')
  )
  assert.equal(code, 0, stderr)
  const { learning } = running.node
  assert.deepEqual(learning.started, [{ folder: texts, codec: 'int8', parts: ['layer0.*', 'embedding'] }])
  assert.equal(learning.stops, 1)
  assert.match(stderr, /3 files, 29\.3 KiB to learn from, 2\.0 KiB held out; passed over: 1 binary/)
  assert.match(stdout, /^round 3: accepted, gain 0\.00150 nats per token, 2\.0 KiB, earned 2\.5 BLY$/m)
  assert.match(stdout, /loss 3\.2500, 2048 tokens\/s/)
  assert.match(stderr, /stopped after 40 steps; 1 of 1 deltas were accepted/)
  assert.ok(!`${stdout}${stderr}`.includes('\u001b['), 'no block without a terminal')
})

test('for programs a status a line', async () => {
  const { code, docs, stderr } = await decided(learnHere('--once', '--json'))
  assert.equal(code, 0, stderr)
  assert.ok(docs.every(status => typeof status.state === 'string'))
  assert.equal((docs.at(-1)!.learner as { deltas: { accepted: number } }).deltas.accepted, 1)
})

test('the node is told from the texts by its looks, and named alone it is no text', async () => {
  const fresh = join(base, 'fresh')
  const both = { texts, node: data }
  assert.deepEqual(learnTarget(undefined, [texts, data]), both)
  assert.deepEqual(learnTarget(undefined, [data, texts]), both)
  assert.deepEqual(learnTarget(texts, [data]), both)
  assert.deepEqual(learnTarget(undefined, [texts]), { texts, node: undefined })
  assert.deepEqual(learnTarget(undefined, [fresh, texts]), { texts, node: fresh })
  assert.deepEqual(learnTarget(undefined, [texts, fresh]), { texts, node: fresh })
  assert.deepEqual(learnTarget(undefined, []), { texts: undefined, node: undefined })
  assert.throws(() => learnTarget(undefined, [data]), { code: 'LEARNING_DATA_IS_NODE' })
  assert.throws(() => learnTarget(undefined, [data, data]), { code: 'LEARNING_DATA_IS_NODE' })
  assert.throws(() => learnTarget(texts, [data, texts]), { code: 'USAGE' })
  assert.throws(() => learnTarget(undefined, [texts, data, base]), { code: 'USAGE' })
  const alone = await cli(['learn', '--data', data])
  assert.equal(alone.code, 2)
  assert.match(alone.stderr, /learn --data FOLDER_WITH_TEXTS --data /)
  const byVariable = await decided(cli(['learn', '--data', texts, '--once'], { env: { BLYAN_DATA: data } }))
  assert.equal(byVariable.code, 0, byVariable.stderr)
})

test('a wrong command line is refused before any node is asked', async () => {
  const file = join(base, 'a.txt')
  writeFileSync(file, 'text')
  const cases: [string[], number, RegExp][] = [
    [['learn'], 2, /learn needs a folder/],
    [['learn', '--data', join(base, 'nowhere'), '--data', data], 1, /no such file/],
    [['learn', file, '--data', data], 1, /it is a file and no folder/],
    [['learn', texts, '--data', data, '--steps', '5'], 2, /--steps is for --experts/],
    [['learn', texts, '--data', data, '--experts', 'layer0.expert0', '--once'], 2, /outside of them/],
    [['learn', texts, '--data', data, '--experts', 'a b'], 2, /no list of parts/],
    [['learn', '--data', texts, '--data', join(base, 'fresh')], 3, /no node lives in .*fresh yet/]
  ]
  const results = await Promise.all(cases.map(([args]) => cli(args)))
  for (const [place, [args, code, pattern]] of cases.entries()) {
    const result = results[place]!
    assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`)
    assert.match(result.stderr, pattern)
  }
  assert.deepEqual(running.node.learning.started, [])
})

test('refusals of the node keep their code, and nothing is stopped that was not started here', async () => {
  const codec = await learnHere('--codec', 'zip')
  assert.deepEqual([codec.code, /LEARNING_CODEC_UNKNOWN/.test(codec.stderr)], [2, true], codec.stderr)
  const model = await learnHere('--model', 'huge')
  assert.match(model.stderr, /MODEL_UNKNOWN/)
  await running.node.learning.start({ folder: '/other' })
  const second = await learnHere()
  assert.equal(second.code, 1)
  assert.match(second.stderr, /LEARNING_RUNNING: this node learns from \/other already/)
  assert.match(second.stderr, /learn stop/)
  assert.equal(running.node.learning.stops, 0)
})

test('a second learn of the same folder shows the first, and ends when it is stopped elsewhere', async () => {
  await running.node.learning.start({ folder: texts })
  const watching = learnHere()
  await until(() => running.node.learning.listeners > 0, 20_000)
  const stopped = await cli(['learn', 'stop', '--data', data])
  assert.equal(stopped.stdout, 'stopped after 40 steps\n')
  const { code, stderr } = await watching
  assert.equal(code, 0, stderr)
  assert.match(stderr, /learns from .*texts already; here is how/)
  assert.match(stderr, /stopped from elsewhere/)
  const again = await cli(['learn', 'stop', '--data', data])
  assert.deepEqual([again.code, again.stdout], [0, 'this node was not learning\n'])
})

test('what failed while learning ends it with its own code', async () => {
  const command = learnHere('--json')
  await until(() => running.node.learning.started.length > 0, 20_000)
  const failure = { code: 'DISK_FULL', message: 'the disk is full', nextStep: 'make room' }
  running.node.learning.set({ state: 'failed', failure })
  const { code, docs } = await command
  assert.equal(code, 1)
  assert.deepEqual(docs.at(-1), { error: failure })
})

test('Ctrl+C stops learning in order, with what was done', async () => {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, 'learn', texts, '--data', data])
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  await until(() => running.node.learning.started.length > 0 && stderr.includes('3 files'), 20_000)
  child.kill('SIGINT')
  const code = await new Promise(resolve => child.once('close', resolve))
  assert.deepEqual([code, running.node.learning.stops], [0, 1], stderr)
  assert.match(stderr, /stopped after 40 steps/)
})

test('learn status shows all there is to know, for people without control characters', async () => {
  const idle = await cli(['learn', 'status', '--data', data])
  assert.match(idle.stdout, /this node does not learn/)
  assert.match(idle.stdout, /round +3, training, 9 s left, 2 learners, 1 committed/)
  running.node.learning.setLearner({})
  running.node.learning.set({ state: 'paused' })
  const { stdout } = await cli(['learn', 'status', '--data', data])
  assert.match(stdout, /paused for prompts \(1 s so far\)/)
  assert.match(
    stdout,
    /step 40, loss 3\.2500 nats per token, 3\.5000 on text it never trains on, 2048 tokens\/s on cpu/
  )
  assert.match(stdout, /2 given: 1 accepted, 1 refused, 0 open; codec lr8\+k32/)
  assert.match(stdout, /round 2: refused, no-gain: it makes the model no better/)
  assert.match(stdout, /1\.5 BLY, newcomer, 18 deltas left today/)
  assert.match(stdout, /1 aggregated, 2 replayed, 0 challenged, 2 measured \(1 accepted, 1 refused\)/)
  const json = await cli(['learn', 'status', '--json', '--data', data])
  assert.equal((json.docs[0]!.learner as { trust: string }).trust, 'newcomer')
})

test('learn --experts trains one expert and tells how to try it and what the validators found', async () => {
  const { code, stdout, stderr } = await learnHere('--experts', 'layer0.expert3', '--steps', '9')
  assert.equal(code, 0, stderr)
  assert.match(stderr, /step 9 of 9, loss 4\.0000/)
  assert.match(stdout, /loss +5\.0000 before, 4\.5000 after/)
  assert.match(stdout, /chat --part layer0\.expert3=bafynew/)
  assert.match(stdout, /adopted/)
  const refused = await learnHere('--experts', 'attention', '--json')
  assert.equal(refused.code, 1)
  assert.equal((refused.docs.at(-1)!.error as { code: string }).code, 'LEARNING_PART_UNKNOWN')
})

test('chat and run take other versions of parts', async () => {
  const asked = running.node.answers.asked.length
  const run = await cli([
    'run',
    'hello',
    '--part',
    'embedding=bafyold',
    '--part',
    'layer0.expert0=bafyolder',
    '--data',
    data
  ])
  assert.equal(run.code, 0, run.stderr)
  assert.deepEqual(running.node.answers.asked[asked]!.parts, { embedding: 'bafyold', 'layer0.expert0': 'bafyolder' })
  const wrong = await cli(['chat', 'hello', '--part', 'embedding', '--data', data])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /is not NAME=CID/)
})
