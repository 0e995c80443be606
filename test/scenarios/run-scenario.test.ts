import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHandlers } from '../../src/node/event-handlers.ts'
import { nearestWord } from '../../src/node/suggestion.ts'
import { drawPicture, parseScenario, runScenario, type ScenarioResult } from '../../src/scenarios/index.ts'

const asks = '[[answer]]\ntext = "?"\nmeasure = "circulating"\ntake = "change-per-year"\natMost = 0.1\n'

function run(text: string, { seed = 1, periods = 24 } = {}): ScenarioResult {
  const file = `question = "<what> & if?"\nperiods = ${periods}\n${text}\n${asks}`
  return runScenario({ scenario: parseScenario(file, nearestWord), seed, createHandlers })
}

const seven = '[operators]\ncount = 7\npresentPpm = 1000000\nwaiting = 0'

test('the same seed gives the same, another one something else', () => {
  const [once, again, other] = [run(seven), run(seven), run(seven, { seed: 2 })]
  assert.deepEqual(again, once)
  assert.notEqual(other.stateRoot, once.stateRoot)
  assert.equal(once.rows.length, 24)
})

test('rewards are what the ledger paid, and nothing else makes coins', () => {
  const { rows, events } = run(seven)
  const last = rows.at(-1)!
  assert.ok(rows.every(({ rewards, standing }) => rewards > 0 && standing === 0))
  assert.equal(last.validators, 7)
  const burnt = rows.reduce((sum, row) => sum + row.burnt, 0)
  assert.ok(burnt > 0 && Math.abs(rows[0]!.circulating - last.circulating - burnt + rows[0]!.burnt) < 1e-6)
  assert.deepEqual(
    events.filter(({ refusal }) => refusal !== '' && refusal !== 'EARNINGS_NONE'),
    []
  )
})

test('without two thirds nothing is decided, and with them everything goes on', () => {
  const down = (sharePpm: number): string =>
    `${seven}\n[[shock]]\nkind = "validators-down"\nperiod = 10\nlasts = 5\nsharePpm = ${sharePpm}`
  const [third, quarter] = [run(down(430_000)), run(down(286_000))]
  assert.deepEqual(
    third.rows.map(({ standing }) => standing).filter(standing => standing > 0),
    [1, 1, 1, 1, 1]
  )
  assert.ok(quarter.rows.every(({ standing }) => standing === 0))
  assert.equal(third.happened.length, 1)
})

test('who signs twice is burnt a tenth and jailed', () => {
  const { rows } = run(`${seven}\n[[shock]]\nkind = "double-sign"\nperiod = 5\ncount = 2`, { periods: 24 })
  const slashed = rows.reduce((sum, row) => sum + row.slashed, 0)
  assert.ok(slashed > 19_900 && slashed < 24_000, String(slashed))
  assert.equal(rows.at(-1)!.jailed, 2)
  assert.equal(rows.at(-1)!.validators, 5)
})

test('when the price falls below what machines cost, operators leave, and the last ones stay', () => {
  const costly = seven.replace('waiting = 0', 'patienceHours = 6\ncostMicroDollarsPerHour = 50000')
  const { rows } = run(`${costly}\n[[shock]]\nkind = "price"\nperiod = 8\nfactorPpm = 50000`, { periods: 60 })
  assert.equal(rows[6]!.operatorsLeft, 0)
  assert.ok(rows.at(-1)!.operatorsLeft > 0)
  assert.ok(rows.at(-1)!.validators >= 1)
})

test('somebody who buys a third of the stake has a third of the votes', () => {
  const { rows } = run(
    `weights = "stake"\n${seven}\n[stakers]\ncount = 0\n[[shock]]\nkind = "whale"\nperiod = 3\nsharePpm = 333334`,
    { periods: 12 }
  )
  const { largestWeight } = rows.at(-1)!
  assert.ok(largestWeight > 0.32 && largestWeight < 0.34, String(largestWeight))
})

test('gifted nodes serve, are paid, and leave', () => {
  const { rows } = run(
    `${seven}\n[gifted]\ncount = 6\npresentPpm = 1000000\n[[shock]]\nkind = "gifted-leave"\nperiod = 20\nsharePpm = 500000`
  )
  assert.deepEqual([rows[10]!.giftedNodes, rows.at(-1)!.giftedNodes], [6, 3])
  assert.ok(rows[10]!.giftedRewards > 0)
})

test('the picture is drawn in words and lines, without anything that runs', () => {
  const picture = drawPicture(run(seven, { periods: 3 }))
  assert.match(picture, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  assert.match(picture, /&lt;what&gt; &amp; if\?/)
  assert.match(picture, /prefers-color-scheme:dark/)
  assert.match(picture, /BLY in circulation/)
  assert.doesNotMatch(picture, /<script|onload|href|NaN|Infinity|undefined/)
  assert.equal(drawPicture(run(seven, { periods: 1 })).includes('NaN'), false)
})
