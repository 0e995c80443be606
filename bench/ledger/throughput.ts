import { type Options, plain, type Result, rate } from '../report.ts'
import type { LedgerLoad, LoadKind, LoadRun } from './load.ts'

/** Transfers through the whole quorum, and notes in turn with them: what one is held against was measured just before. */
export async function measureLedgerThroughput(load: LedgerLoad, { quick, note }: Options): Promise<Result[]> {
  const runs: Record<LoadKind, LoadRun[]> = { notes: [], transfers: [] }
  for (let run = -1; run < (quick ? 3 : 7); run++) {
    note(run < 0 ? 'throughput, warming up' : `throughput, run ${run + 1}`)
    for (const kind of ['notes', 'transfers'] as const) {
      const result = await load.run(kind)
      if (run >= 0) runs[kind].push(result)
    }
  }
  const rates = (kind: LoadKind): number[] => runs[kind].map(run => run.eventsPerSecond)
  const cpu = (kind: LoadKind): number[] => runs[kind].flatMap(run => run.cpuMicrosecondsPerNode ?? [])
  return [
    rate('ledger.throughput', 'transfers/s', rates('transfers'), rates('notes'), 'notes/s in the same run'),
    ...(['notes', 'transfers'] as const)
      .filter(kind => cpu(kind).length > 0)
      .map(kind => plain(`ledger.throughput.${kind}.cpuPerNode`, 'µs of processor per event', cpu(kind)))
  ]
}
