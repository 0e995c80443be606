import type { SimulationResult } from './simulation.ts'

/** What many seeds did together. */
export type Summary = {
  seeds: number
  failures: number
  commits: number
  events: number
  epochs: number
  simulatedMs: number
  readonly verdicts: Record<string, number>
  readonly injected: Record<string, number>
  readonly happened: Record<string, number>
  readonly peaks: Record<string, number>
}

export function emptySummary(): Summary {
  return {
    seeds: 0,
    failures: 0,
    commits: 0,
    events: 0,
    epochs: 0,
    simulatedMs: 0,
    verdicts: {},
    injected: {},
    happened: {},
    peaks: {}
  }
}

export function addResult(summary: Summary, result: SimulationResult): void {
  summary.seeds++
  if (result.verdict !== 'pass') summary.failures++
  summary.commits += result.commits
  summary.events += result.events
  summary.epochs += result.epochs
  summary.simulatedMs += result.simulatedMs
  summary.verdicts[result.verdict] = (summary.verdicts[result.verdict] ?? 0) + 1
  for (const kind of ['injected', 'happened'] as const)
    for (const [what, count] of Object.entries(result[kind])) summary[kind][what] = (summary[kind][what] ?? 0) + count
  for (const [what, count] of Object.entries(result.peaks))
    summary.peaks[what] = Math.max(summary.peaks[what] ?? 0, count)
}

export function printSummary(summary: Summary, seconds: number): void {
  for (const kind of ['injected', 'happened'] as const) {
    const sorted = Object.entries(summary[kind]).sort(([a], [b]) => (a < b ? -1 : 1))
    console.table(sorted.map(([what, times]) => ({ [kind]: what, times })))
  }
  console.table({
    seeds: summary.seeds,
    ...summary.verdicts,
    commits: summary.commits,
    events: summary.events,
    epochs: summary.epochs,
    'simulated seconds': Math.round(summary.simulatedMs / 1000),
    'real seconds': Math.round(seconds),
    'seeds per second': Number((summary.seeds / seconds).toFixed(1)),
    ...Object.fromEntries(Object.entries(summary.peaks).map(([what, most]) => [`most ${what} in a node`, most]))
  })
}
