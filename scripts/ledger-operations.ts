// Random operations on the ledger, a million of them: `npm run -s ledger-operations -- --operations 1000000 --seed 1`.
import { parseArgs } from 'node:util'
import { operationsPerLedger, RandomLedger } from '../test/ledger/random-operations.ts'

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    weights: { type: 'string', default: 'both' }
  }
})
const operations = Number(values.operations)
const firstSeed = Number(values.seed)
const counts = { operations: 0, applied: 0, refused: 0, commits: 0, epochs: 0, periods: 0, ledgers: 0, failures: 0 }
const applied = new Map<string, number>()
const codes = new Set<string>()
const startedMs = Date.now()

for (let seed = firstSeed; counts.operations < operations; seed++) {
  const weights =
    values.weights === 'both' ? (seed % 2 === 0 ? 'stake' : 'equal') : (values.weights as 'equal' | 'stake')
  const ledger = new RandomLedger(seed, weights)
  const count = Math.min(operationsPerLedger, operations - counts.operations)
  try {
    ledger.run(count)
  } catch (error) {
    counts.failures++
    console.log(`seed ${seed}, weights ${weights}, operation ${ledger.outcome.operations}:`)
    console.log(error)
  }
  const { outcome } = ledger
  counts.ledgers++
  counts.operations += count
  counts.commits += outcome.commits
  counts.epochs += outcome.epochs
  counts.periods += outcome.periods
  for (const [type, number] of Object.entries(outcome.applied)) {
    counts.applied += number
    applied.set(type, (applied.get(type) ?? 0) + number)
  }
  for (const refusals of Object.values(outcome.refused))
    for (const [code, number] of Object.entries(refusals)) {
      counts.refused += number
      codes.add(code)
    }
  if (counts.ledgers % 5 === 0)
    console.log(`${counts.operations} operations, ${Math.round((Date.now() - startedMs) / 1000)} s`)
}
console.log(counts)
console.log(
  [...applied]
    .toSorted((one, other) => other[1] - one[1])
    .map(([type, number]) => `${type} ${number}`)
    .join(', ')
)
console.log(`${codes.size} codes of refusals: ${[...codes].toSorted().join(' ')}`)
console.log(`${Math.round((Date.now() - startedMs) / 1000)} s`)
process.exitCode = counts.failures === 0 ? 0 : 1
