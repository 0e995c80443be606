import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { nearestWord } from '../../src/node/suggestion.ts'
import { parseScenario } from '../../src/scenarios/index.ts'

const least = 'question = "?"\nperiods = 9\n[[answer]]\ntext = "?"\nmeasure = "supply"\ntake = "last"\n'
const sound = least.replace('"supply"', '"circulating"')
const reasonOf = (text: string): string => {
  try {
    parseScenario(text, nearestWord)
  } catch (error) {
    const { code, payload } = error as { code: string; payload: { reason: string } }
    assert.equal(code, 'SCENARIO_INVALID')
    return payload.reason
  }
  return ''
}

test('what a file leaves out has its usual value', () => {
  const { operators, market, commitsPerPeriod } = parseScenario(sound, nearestWord)
  assert.deepEqual([operators.count, operators.commissionPpm, market.blyMicroDollars], [20, 50_000, 1000])
  assert.equal(commitsPerPeriod, 4)
})

test('a word that nobody knows is refused, with what was meant', () => {
  assert.match(reasonOf(`perods = 9\n${sound.replace('periods = 9\n', '')}`), /periods/)
  assert.match(reasonOf(`${sound.replace('periods', 'perods = 1\nperiods')}`), /"perods"; did you mean "periods"\?/)
  assert.match(reasonOf(`${sound}[operators]\nstakeBLY = 3\n`), /"stakeBLY" in "operators"; did you mean "stakeBly"\?/)
  assert.match(reasonOf(`${sound}[[shock]]\nkind = "price"\nperiod = 1\nfactorPPM = 1\n`), /factorPpm|factorPPM/)
})

test('what is out of range, at no time, or no TOML, is refused by its place', () => {
  assert.match(reasonOf(least), /answer\.0\.measure/)
  assert.match(reasonOf(sound.replace('periods = 9', 'periods = 900000')), /periods/)
  assert.match(reasonOf(sound.replace('periods = 9', 'periods = 1.5')), /periods/)
  assert.match(reasonOf(`${sound}[[shock]]\nkind = "price"\nperiod = 10\nfactorPpm = 1\n`), /there is no period 10/)
  assert.match(reasonOf('question = '), /line 1/)
  assert.match(reasonOf('x'.repeat(70_000)), /longer than/)
})

test('every shipped scenario says its question in its first line and can be read', () => {
  const folder = new URL('../../scenarios/', import.meta.url)
  const files = readdirSync(folder).filter(file => file.endsWith('.toml'))
  assert.ok(files.length >= 10)
  for (const file of files) {
    const text = readFileSync(new URL(file, folder), 'utf8')
    assert.match(text, /^question = ".+\?"\n/, file)
    assert.ok(parseScenario(text, nearestWord).answer.length > 0)
  }
})
