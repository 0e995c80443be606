import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type DataFolder, openDataFolder } from '../../src/node/index.ts'
import { createAnswersDouble } from '../api/answers-double.ts'
import { type RunningApi, startApi } from '../api/api-fixture.ts'
import { until } from '../experts/model-folder.ts'
import { type CliResult, cli } from './cli-fixture.ts'

/** Asking from the command line: real processes against the real API over answers that are written down beforehand. */
const base = mkdtempSync(join(tmpdir(), 'blyan-chat-'))
const data = join(base, 'node')
let folder: DataFolder
let running: RunningApi

before(async () => {
  folder = await openDataFolder(data)
  running = await startApi({ after: () => {} }, await folder.tokens())
  await folder.announceApi(running.url)
})
after(async () => {
  await running.api.stop()
  await folder.release()
  rmSync(base, { recursive: true, force: true })
})
beforeEach(() => {
  running.node.answers = createAnswersDouble()
})

const here = (args: readonly string[], input?: string | Uint8Array): Promise<CliResult> =>
  cli([...args, '--data', data], input === undefined ? {} : { input })

test('chat shows the plan before, the text as it is, and what it took after', async () => {
  const asked = [
    '--model',
    'tiny',
    '--mode',
    'secure',
    '--temperature',
    '0',
    '--seed',
    '5',
    '--stop',
    'x',
    '--system',
    'Be brief.'
  ]
  const result = await here(['chat', 'Say hello.', ...asked])
  assert.equal(result.code, 0, result.stderr)
  assert.equal(result.stdout, 'Hello there.\n')
  const [plan, report] = result.stderr.trim().split('\n')
  assert.equal(plan, 'tiny, secure: 3 experts at home, 2 asked of 1 peer, about 13 tokens/s expected')
  assert.equal(
    report,
    '12 tokens, 40 tokens/s, 0.000012 BLY (predicted 13 tokens/s), answered here and by oWHolder 12 rows'
  )
  const { sampling, mode, tokens } = running.node.answers.asked[0]!
  assert.deepEqual([sampling, mode], [{ temperature: 0, topP: 1, seed: '5' }, 'secure'])
  assert.equal(Buffer.from(tokens).toString(), 'Be brief.\nSay hello.')
})

test('chat as JSON is a line for each piece', async () => {
  const { docs, code } = await here(['chat', 'hi', '--json'])
  assert.equal(code, 0)
  assert.deepEqual(
    docs.map(doc => doc.type),
    ['plan', 'text', 'text', 'done']
  )
  assert.equal((docs[3]!.notes as { costUnits: string }).costUnits, '12000')
})

test('a conversation goes on line by line, keeps what was said, and adds up what it costs', async () => {
  const result = await here(['chat'], 'one\n\ntwo\n')
  assert.equal(result.code, 0, result.stderr)
  assert.equal(result.stdout, 'Hello there.\nHello there.\n')
  const prompts = running.node.answers.asked.map(({ tokens }) => Buffer.from(tokens).toString())
  assert.deepEqual(prompts, ['one', 'one\nHello there.\ntwo'])
  assert.match(result.stderr, /0\.000024 BLY in this conversation/)
})

test('what no longer fits of a conversation is left out from its beginning', async () => {
  const lines = ['a'.repeat(30), 'b'.repeat(30), 'c']
  const result = await here(['chat', '--model', 'tiny'], `${lines.join('\n')}\n`)
  assert.equal(result.code, 0, result.stderr)
  assert.match(result.stderr, /the oldest turn no longer fits/)
  const last = Buffer.from(running.node.answers.asked.at(-1)!.tokens).toString()
  assert.equal(last, `${lines[1]}\nHello there.\nc`)
})

test('what a model says cannot play with the terminal', async () => {
  running.node.answers.say(['a\u001b[2Jb\r\tc\n'])
  assert.equal((await here(['chat', 'hi'])).stdout, 'a\ufffd[2Jb\ufffd\tc\n')
})

test('run prints the answer alone, of an argument or of standard input, exactly', async () => {
  running.node.answers.say(['a\u001bb\n'])
  const [argument, input, json] = await Promise.all([
    here(['run', 'Say hello.']),
    here(['run', '--model', 'tiny'], 'From input.'),
    here(['run', '-', '--json'], 'hi')
  ])
  assert.deepEqual([argument.code, argument.stdout, argument.stderr], [0, 'a\u001bb\n', ''])
  assert.deepEqual([input.code, input.stdout], [0, 'a\u001bb\n'])
  assert.deepEqual([json.docs.length, json.docs[0]?.text, json.docs[0]?.end], [1, 'a\u001bb\n', 'stop'])
})

test('mistakes are named', async () => {
  const cases: readonly [string[], string | Uint8Array, number, RegExp][] = [
    [['run'], '', 1, /PROMPT_EMPTY/],
    [['run'], Uint8Array.of(0x68, 0xff), 1, /TEXT_NOT_UTF8/],
    [['run'], 'x'.repeat(10_000_000), 1, /INPUT_TOO_LARGE/],
    [['run', 'hi', '--model', 'huge'], '', 1, /MODEL_UNKNOWN: .*genesis, half, tiny/],
    [['run', 'hi', '--mode', 'fast'], '', 2, /USAGE: .*standard, distributed/],
    [['chat', 'hi', '--temperature', '9'], '', 2, /USAGE/]
  ]
  const results = await Promise.all(cases.map(([args, input]) => here(args, input)))
  for (const [i, [args, , code, pattern]] of cases.entries()) {
    assert.equal(results[i]!.code, code, `${args.join(' ').slice(0, 80)} ${results[i]!.stderr}`)
    assert.match(results[i]!.stderr, pattern)
    assert.equal(results[i]!.stdout, '')
  }
})

test('Ctrl+C ends an answer: what was said stays, the work stops, and it exits 130', async () => {
  running.node.answers.say(['word '], { endless: true })
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env
  const args = [main, 'chat', 'hi', '--model', 'genesis', '--max-tokens', '4000', '--data', data]
  const child = spawn(process.execPath, args, { env, timeout: 30_000 })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', chunk => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk))
  await until(() => stdout.includes('word word'), 20_000)
  child.kill('SIGINT')
  const code = await new Promise(resolve => child.on('close', resolve))
  assert.equal(code, 130, stderr)
  assert.match(stderr, /interrupted/)
  await until(() => running.node.answers.open() === 0)
})
