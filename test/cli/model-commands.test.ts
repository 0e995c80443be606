import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createProgressBar } from '../../src/cli/progress-bar.ts'
import { type DataFolder, openDataFolder } from '../../src/node/index.ts'
import { type RunningApi, startApi } from '../api/api-fixture.ts'
import { cli } from './cli-fixture.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-model-'))
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

const here = (...args: string[]) => cli([...args, '--data', data])

test('model import says what it does and what it made; for programs a line each', async () => {
  const people = await here('model', 'import', '/models/tiny', '--name', 'mine', '--precision', 'fp32')
  assert.equal(people.code, 0, people.stderr)
  assert.match(people.stderr, /^mine: 20 B of weights become 2 parts in fp32, 10 B$/m)
  assert.match(people.stdout, /model +mine\n.*block +bafymodel/s)
  assert.ok(!people.stderr.includes('\u001b['), 'no bar without a terminal')
  const programs = await here('model', 'import', '/models/tiny', '--json')
  assert.deepEqual([...new Set(programs.docs.map(({ kind }) => kind))], ['plan', 'progress', 'done'])
})

test('a folder that cannot be imported ends with its code and what to do', async () => {
  const refused = await here('model', 'import', '/empty')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /CHECKPOINT_UNREADABLE/)
  assert.match(refused.stderr, /config\.json/)
})

test('model list shows each model with what is here of it', async () => {
  const listed = await here('model', 'list', '--json')
  assert.equal(listed.code, 0, listed.stderr)
  assert.ok(listed.docs.every(model => typeof model.partsHere === 'number'))
  const shown = await here('model', 'list')
  for (const { name } of listed.docs) assert.ok(shown.stdout.includes(String(name)))
})

test('the bar fits its line, tells how long it will take, and begins anew with a new stage', () => {
  const written: string[] = []
  let nowMs = 0
  const bar = createProgressBar(
    { isTTY: true, columns: 70, write: (text: string) => written.push(text) > 0 } as never,
    () => nowMs
  )
  for (const done of [0, 1e6, 2e6, 10e6]) {
    bar.show({ label: 'converting 1/9', done, total: 10e6 })
    nowMs += 1000
  }
  bar.show({ label: 'on chain 1/9', done: 1e6, total: 10e6 })
  const before = written.length
  bar.show({ label: 'on chain 2/9', done: 2e6, total: 10e6 })
  assert.equal(written.length, before, 'not more often than an eye can follow')
  bar.clear()
  const lines = written.map(text => text.replace('\r\u001b[K', ''))
  assert.ok(lines.every(line => line.length < 70))
  assert.match(lines[2]!, /converting 1\/9 .*20% .*8 s left/)
  assert.match(lines[3]!, /100%/)
  assert.ok(!lines[4]!.includes('left'), 'another stage has another speed')
  assert.equal(lines.at(-1), '')
})

test('nothing is drawn where nobody looks', () => {
  const written: string[] = []
  const bar = createProgressBar({ isTTY: false, columns: 60, write: (text: string) => written.push(text) > 0 } as never)
  bar.show({ label: 'x', done: 1, total: 2 })
  bar.clear()
  assert.deepEqual(written, [])
})
