// npm run sim -- [--seeds n] [--from n] [--jobs n] [--trace]: the seeded whole-network simulation from the command line.
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { type SimulationResult, simulate } from './simulation.ts'
import { addResult, emptySummary, printSummary, type Summary } from './summary.ts'

const failuresShownMax = 10
const seedsPerReport = 20

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    trace: { type: 'boolean', default: false },
    part: { type: 'string' }
  }
})
const from = Number(values.from)
const seeds = Number(values.seeds)

if (values.trace) traceOne()
else if (values.part !== undefined) runPart(Number(values.part), Number(values.jobs))
else await runAll(Math.max(1, Math.min(seeds, Number(values.jobs))))

/** One seed, a line for everything that happens. */
function traceOne(): void {
  const result = simulate(from, {}, line => console.log(line))
  console.log(`seed ${from}: ${result.verdict}, trace ${result.trace}`)
  process.exitCode = result.verdict === 'pass' ? 0 : 1
}

/** Every `jobs`-th seed, for the process that started this one. */
function runPart(part: number, jobs: number): void {
  let results: SimulationResult[] = []
  for (let seed = from + part; seed < from + seeds; seed += jobs) {
    results.push(simulate(seed))
    if (results.length < seedsPerReport && seed + jobs < from + seeds) continue
    process.send?.(results)
    results = []
  }
  process.disconnect?.()
}

async function runAll(jobs: number): Promise<void> {
  const startedAtMs = performance.now()
  const summary = emptySummary()
  const parts = Array.from({ length: jobs }, (_, part) => startPart(part, jobs, summary))
  const codes = await Promise.all(parts)
  printSummary(summary, (performance.now() - startedAtMs) / 1000)
  const isComplete = summary.seeds === seeds && codes.every(code => code === 0)
  if (!isComplete) console.log(`only ${summary.seeds} of ${seeds} seeds ended`)
  process.exitCode = isComplete && summary.failures === 0 ? 0 : 1
}

function startPart(part: number, jobs: number, summary: Summary): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL(import.meta.url), [
      ...['--from', String(from), '--seeds', String(seeds)],
      ...['--jobs', String(jobs), '--part', String(part)]
    ])
    child.on('message', results => {
      for (const result of results as SimulationResult[]) {
        addResult(summary, result)
        if (result.verdict === 'pass' || summary.failures > failuresShownMax) continue
        console.log(`seed ${result.seed}: ${result.verdict} with ${result.validators} validators: ${result.detail}`)
        console.log(`  again: npm run sim -- --from ${result.seed} --trace`)
      }
    })
    child.once('error', reject)
    child.once('close', resolve)
  })
}
