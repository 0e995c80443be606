import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { learnerCounts } from '../../src/cli/simulate-learning.ts'
import { cli } from './cli-fixture.ts'

test('simulate --learners answers in the rows of the seed, and draws them', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-simulate-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const picture = join(folder, 'learning.svg')
  const { code, docs } = await cli([
    ...['simulate', '--learners', '4,6', '--regions', '1', '--tiles', '1', '--rounds', '1'],
    ...['--picture', picture, '--json']
  ])
  assert.equal(code, 0)
  const rows = docs[0] as unknown as {
    learners: number
    adopted: number
    wideMegabytes: number
    trafficMegabytes: number
    rawMegabytes: number
  }[]
  assert.deepEqual(
    rows.map(({ learners, adopted }) => [learners, adopted]),
    [
      [4, 1],
      [6, 1]
    ]
  )
  for (const { wideMegabytes, trafficMegabytes, rawMegabytes } of rows) {
    assert.equal(wideMegabytes, 0, 'there is only one region')
    assert.ok(trafficMegabytes > 0 && trafficMegabytes < rawMegabytes)
  }
  assert.ok(existsSync(picture) && readFileSync(picture, 'utf8').startsWith('<svg'))
})

test('how many learners is a list of whole numbers, and nothing else', () => {
  assert.deepEqual(learnerCounts('100'), [100])
  assert.deepEqual(learnerCounts('10,50,1000'), [10, 50, 1000])
  const wrong = ['', '0', '10,', '10,x', '-1', '1.5', '1e3', ' 10', '9999999', Array(13).fill(1).join()]
  for (const text of wrong) assert.throws(() => learnerCounts(text), { code: 'USAGE', message: /no list of learners/ })
})

test('more learners than can be simulated are refused before anything runs', async () => {
  const { code, stderr } = await cli(['simulate', '--learners', '3000'])
  assert.match(stderr, /3000 learners are too many/)
  assert.equal(code, 2)
})
