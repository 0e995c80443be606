// npm run -s bench -- [suite] [--json] [--quick] [--large] [--minutes N]: what this machine does, beside what it could do at best.
import { parseArgs } from 'node:util'
import { type Suite, toJson, toTable } from './report.ts'

const suites: Readonly<Record<string, () => Promise<Suite>>> = {
  quorum: async () => (await import('./quorum.ts')).quorumSuite,
  tensors: async () => (await import('./tensors.ts')).tensorsSuite,
  experts: async () => (await import('./experts.ts')).expertsSuite,
  ledger: async () => (await import('./ledger.ts')).ledgerSuite,
  codecs: async () => (await import('./codecs.ts')).codecsSuite
}
/** Long, or with programs of others: only when asked for by name. */
const byNameOnly: Readonly<Record<string, () => Promise<Suite>>> = {
  learning: async () => (await import('./learning.ts')).learningSuite,
  integrity: async () => (await import('./integrity.ts')).integritySuite,
  soak: async () => (await import('./soak.ts')).soakSuite,
  peers: async () => (await import('./peers/suite.ts')).peersSuite,
  'model-peers': async () => (await import('./peers/models.ts')).modelPeersSuite
}
const known = { ...suites, ...byNameOnly }
const minutesDefault = 30

// What runs is stopped and removed by `exit` listeners, which a signal alone would pass by.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
process.exitCode = await main()

async function main(): Promise<number> {
  let values: { json?: boolean; quick?: boolean; large?: boolean; minutes?: string }
  let wanted: string[]
  try {
    const parsed = parseArgs({
      options: {
        json: { type: 'boolean' },
        quick: { type: 'boolean' },
        large: { type: 'boolean' },
        minutes: { type: 'string' }
      },
      allowPositionals: true
    })
    values = parsed.values
    wanted = parsed.positionals
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
  for (const name of wanted) {
    if (known[name] === undefined) return usage(`there is no suite ${name}`)
  }
  const minutes = Number(values.minutes ?? minutesDefault)
  if (!(minutes > 0)) return usage('--minutes takes a number of minutes')
  const { quick = false, large = false } = values
  const note = (text: string): void => void process.stderr.write(`${text}\n`)
  for (const name of wanted.length === 0 ? Object.keys(suites) : wanted) {
    const suite = await known[name]!()
    const results = await suite({ quick, large, minutes, note: text => note(`${name}: ${text}`) })
    console.log(values.json === true ? toJson(name, results) : toTable(name, results))
  }
  return 0
}

function usage(reason: string): number {
  process.stderr.write(
    `${reason}\nusage: npm run -s bench -- [${Object.keys(known).join(' | ')}] [--json] [--quick] [--large] [--minutes N]\n`
  )
  return 2
}
