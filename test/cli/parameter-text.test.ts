import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, formatParameter, parseDuration, parseParameter } from '../../src/cli/parameter-text.ts'
import { emergencyAction, emergencyDurationMs, parameterChanges } from '../../src/cli/proposal-inputs.ts'
import { parameterTable } from '../../src/ledger/parameters.ts'

const usage = { code: 'USAGE' }

test('what "parameters" shows of every parameter is what "proposal new parameters" takes', () => {
  for (const [name, { usual, min, max }] of Object.entries(parameterTable))
    for (const value of [usual, min, max]) {
      const [text] = formatParameter(name, value.toString()).split(' ') as [string]
      assert.equal(parseParameter(name, text), value.toString(), `${name} ${text}`)
    }
})

test('values are read by the unit in their name, and what is none is refused', () => {
  assert.equal(parseParameter('unbondingMs', '21d'), '1814400000')
  assert.equal(parseParameter('voteQuorumPpm', '33.4%'), '334000')
  assert.equal(parseParameter('voteQuorumPpm', '334000'), '334000')
  assert.equal(parseParameter('feeUnits', '0.002'), '2000000')
  assert.equal(parseParameter('validatorsMax', '100'), '100')
  assert.throws(() => parseParameter('unbondingMs', '21'), usage)
  assert.throws(() => parseParameter('unbondingMs', '-1d'), usage)
  assert.throws(() => parseParameter('voteQuorumPpm', '33.43211%'), usage)
  assert.throws(() => parseParameter('validatorsMax', '1.5'), usage)
  assert.throws(() => parseParameter('feeUnits', '-1'), { code: 'AMOUNT_NEGATIVE' })
})

test('a duration is written with the largest unit that leaves no rest', () => {
  assert.deepEqual([1, 1000, 90_000, 7_200_000, 172_800_000].map(formatDuration), ['1ms', '1s', '90s', '2h', '2d'])
  assert.throws(() => parseDuration('2 h'), usage)
})

test('changes are NAME=VALUE, and an emergency says what its action needs', () => {
  assert.deepEqual(parameterChanges(['feeUnits=1', 'votingMs=2d']), [
    { name: 'feeUnits', value: '1000000000' },
    { name: 'votingMs', value: '172800000' }
  ])
  assert.throws(() => parameterChanges(['feeUnits']), usage)
  assert.deepEqual(emergencyAction('rollback', { entry: ['a:@treasury:1.5:GEN', 'a:b:2'] }), {
    name: 'rollback',
    entries: [
      { from: 'a', to: '@treasury', coin: 'GEN', amount: '1500000000' },
      { from: 'a', to: 'b', coin: 'BLY', amount: '2000000000' }
    ]
  })
  assert.throws(() => emergencyAction('rollback', { entry: ['a:b'] }), usage)
  assert.throws(() => emergencyAction('rollback', {}), usage)
  assert.throws(() => emergencyAction('freeze_accounts', {}), usage)
  assert.deepEqual(emergencyAction('pause_network', {}), { name: 'pause_network' })
  assert.deepEqual([emergencyDurationMs({}), emergencyDurationMs({ duration: '2h' })], [0, 7_200_000])
})
