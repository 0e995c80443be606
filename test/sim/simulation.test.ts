import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { strategies } from './liar-strategies.ts'
import { failedOnce } from './seeds-that-failed.ts'
import { simulate } from './simulation.ts'

const fixedSeeds = 60
const freshSeeds = 20
const processes = 2

test('the same seed is the same run, to the last message', () => {
  const [first, second] = [simulate(7), simulate(7)]
  assert.deepEqual(first, second)
  assert.notEqual(simulate(8).trace, first.trace)
})

test('a trace says when, who and what, and does not change the run', () => {
  const lines: string[] = []
  const traced = simulate(9, {}, line => lines.push(line))
  assert.equal(traced.trace, simulate(9).trace)
  assert.ok(
    lines.some(line => /^ *\d+\.\d{3} {2}node \d+ +commit +commit 1 /.test(line)),
    lines.slice(0, 5).join('\n')
  )
})

for (const { seed, showed } of failedOnce) {
  test(`seed ${seed} holds, which failed once: ${showed}`, () => {
    const result = simulate(seed)
    assert.equal(result.verdict, 'pass', result.detail)
  })
}

for (const validators of [1, 2, 3]) {
  test(`${validators} validators, where no fault is tolerated, order everything when nothing fails`, () => {
    const result = simulate(100 + validators, { validators, followers: 1, isFaultless: true })
    assert.equal(result.verdict, 'pass', result.detail)
    assert.ok(result.events > 0)
  })
}

test('three that declare degraded = "crash" stay of one mind through crashes and partitions', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const result = simulate(seed, { degraded: 'crash' })
    assert.equal(result.verdict, 'pass', `seed ${seed}: ${result.detail}`)
    assert.equal(result.validators, 3)
  }
})

test('one liar among four can do none of its tricks any harm', () => {
  for (const [place, strategy] of strategies.entries()) {
    const result = simulate(500 + place, { validators: 4, liars: 1, strategies: [strategy], isFaultless: false })
    assert.equal(result.verdict, 'pass', `${strategy}: ${result.detail}`)
  }
})

test(`${fixedSeeds} seeds that never change, and ${freshSeeds} that nobody has seen`, { timeout: 250_000 }, async t => {
  const first = Number(process.env.SIM_FIRST_SEED ?? randomInt(1_000_000, 2_000_000_000))
  t.diagnostic(
    `fresh seeds: again with SIM_FIRST_SEED=${first}, or npm run sim -- --from ${first} --seeds ${freshSeeds}`
  )
  for (const [from, seeds] of [
    [1, fixedSeeds],
    [first, freshSeeds]
  ] as const) {
    const { code, output } = await runSeeds(from, seeds)
    assert.equal(code, 0, output)
    assert.match(output, new RegExp(`pass *│ ${seeds} `))
  }
})

function runSeeds(from: number, seeds: number): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = fork(
      new URL('./run.ts', import.meta.url),
      ['--from', String(from), '--seeds', String(seeds), '--jobs', String(processes)],
      { stdio: 'pipe' }
    )
    let output = ''
    child.stdout!.on('data', chunk => (output += chunk))
    child.stderr!.on('data', chunk => (output += chunk))
    child.once('error', reject)
    child.once('close', code => resolve({ code, output }))
  })
}
