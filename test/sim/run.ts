// npm run sim -- [--seeds n] [--from n]: the seeded whole-network simulation from the command line.
import { parseArgs } from 'node:util'
import { simulate } from './simulation.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '500' }, from: { type: 'string', default: '1' } }
})
const startedAtMs = performance.now()
const injected: Record<string, number> = {}
const failuresShownMax = 10
let failures = 0
let commits = 0
let events = 0
let simulatedMs = 0
for (let seed = Number(values.from); seed < Number(values.from) + Number(values.seeds); seed++) {
  const result = simulate(seed)
  commits += result.commits
  events += result.events
  simulatedMs += result.simulatedMs
  for (const [what, count] of Object.entries(result.injected)) injected[what] = (injected[what] ?? 0) + count
  if (result.verdict === 'pass') continue
  if (++failures > failuresShownMax) continue
  console.log(`seed ${seed}: ${result.verdict} with ${result.validators} validators: ${result.detail}`)
}
console.table({
  seeds: Number(values.seeds),
  failures,
  commits,
  events,
  simulatedSeconds: Math.round(simulatedMs / 1000),
  realSeconds: Math.round((performance.now() - startedAtMs) / 1000),
  ...injected
})
process.exitCode = failures === 0 ? 0 : 1
