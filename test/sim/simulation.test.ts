import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { simulate } from './simulation.ts'

/** Seeds that failed once; they stay for ever. */
const seedsThatFailed = [1226, 1392]
const seedsRun = 500
const processes = 2

test('the same seed is the same run, to the last message', () => {
  const [first, second] = [simulate(7), simulate(7)]
  assert.deepEqual(first, second)
  assert.notEqual(simulate(8).trace, first.trace)
})

for (const seed of seedsThatFailed) {
  test(`seed ${seed}, which failed once, holds`, () => {
    const result = simulate(seed)
    assert.equal(result.verdict, 'pass', result.detail)
  })
}

for (const validators of [1, 2, 3]) {
  test(`${validators} validators, where no fault is tolerated, order everything when nothing fails`, () => {
    const result = simulate(100 + validators, {
      validators,
      followers: 1,
      crashEveryMs: 0,
      partitionEveryMs: 0,
      loss: 0
    })
    assert.equal(result.verdict, 'pass', result.detail)
  })
}

test(`${seedsRun} seeds: crashes, loss, delay, partitions, lost writes, clock drift; one order, progress, bounded memory`, {
  timeout: 280_000
}, async t => {
  const first = Number(process.env.SIM_FIRST_SEED ?? 1)
  t.diagnostic(
    `seeds ${first} to ${first + seedsRun - 1}: repeat with npm run sim -- --from ${first} --seeds ${seedsRun}`
  )
  const share = seedsRun / processes
  const outputs = await Promise.all(
    Array.from({ length: processes }, (_, part) => runSeeds(first + part * share, share))
  )
  for (const { code, output } of outputs) assert.equal(code, 0, output)
})

function runSeeds(from: number, seeds: number): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [
      new URL('./run.ts', import.meta.url).pathname,
      '--from',
      String(from),
      '--seeds',
      String(seeds)
    ])
    let output = ''
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    child.once('error', reject)
    child.once('close', code => resolve({ code, output }))
  })
}
