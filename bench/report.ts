import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import table from 'cli-table3'

/** One number with the limit it is held against, both from this run on this machine. */
export type Result = {
  readonly name: string
  /** Median of `runs`. */
  readonly value: number
  readonly unit: string
  readonly limit: number | null
  readonly limitName: string | null
  /** Value to limit, so that larger is better. */
  readonly ratio: number | null
  readonly runs: readonly number[]
}

export type Options = {
  /** Fewer runs and less data: for a look, not for a claim. */
  readonly quick: boolean
  /** Also what takes a machine with many cores and much memory. */
  readonly large: boolean
  /** How long a soak lasts. */
  readonly minutes: number
  readonly note: (text: string) => void
}

export type Suite = (options: Options) => Promise<Result[]>

/** Of a quantity where more is better. */
export function rate(
  name: string,
  unit: string,
  runs: readonly number[],
  limits: readonly number[],
  limitName: string
) {
  return held(name, unit, runs, limits, limitName, (value, limit) => value / limit)
}

/** Of a time or another quantity where less is better. */
export function cost(
  name: string,
  unit: string,
  runs: readonly number[],
  limits: readonly number[],
  limitName: string
) {
  return held(name, unit, runs, limits, limitName, (value, limit) => limit / value)
}

/** Of a quantity that has no limit to be held against. */
export function plain(name: string, unit: string, runs: readonly number[]): Result {
  return { name, value: digits(median(runs)), unit, limit: null, limitName: null, ratio: null, runs: runs.map(digits) }
}

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** Nearest rank; between the two middle values for an even count and 50. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = (percent / 100) * sorted.length
  if (percent === 50 && sorted.length % 2 === 0) return (sorted[place - 1]! + sorted[place]!) / 2
  return sorted[Math.max(0, Math.ceil(place) - 1)] ?? Number.NaN
}

export function toJson(suite: string, results: readonly Result[]): string {
  return JSON.stringify({ suite, machine: machine(), results })
}

export function toTable(suite: string, results: readonly Result[]): string {
  const rows = new table({ head: [suite, 'value', 'unit', 'limit', 'ratio', 'runs'], style: { head: [], border: [] } })
  for (const { name, value, unit, limit, limitName, ratio, runs } of results) {
    const shownLimit = limit === null ? '' : `${limit} (${limitName})`
    const spread = runs.length === 1 ? '1' : `${runs.length}: ${Math.min(...runs)} to ${Math.max(...runs)}`
    rows.push([name, value, unit, shownLimit, ratio ?? '', spread])
  }
  return rows.toString()
}

function machine(): object {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadAverage1m: digits(loadavg()[0]!)
  }
}

function held(
  name: string,
  unit: string,
  runs: readonly number[],
  limits: readonly number[],
  limitName: string,
  ratioOf: (value: number, limit: number) => number
): Result {
  const value = median(runs)
  if (limits.length === 0) return plain(name, unit, runs)
  const limit = median(limits)
  return {
    name,
    value: digits(value),
    unit,
    limit: digits(limit),
    limitName,
    ratio: digits(ratioOf(value, limit)),
    runs: runs.map(digits)
  }
}

/** Four significant digits: more would be noise. */
function digits(value: number): number {
  return Number(value.toPrecision(4))
}
