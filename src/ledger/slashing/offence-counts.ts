import type { StateView } from '../../dag/index.ts'

/** What an operator was punished for in a period: its bonus for correctness hangs on it. */
export type OffenceCount = { readonly count: number; readonly burntUnits: bigint }

type Stored = Readonly<Record<string, readonly [count: number, burntUnits: string]>>

const countsKey = (period: number): string => `offence-counts/${period}`

export function offencesIn(state: StateView, operator: string, period: number): OffenceCount {
  const [count, burntUnits] = countsOf(state, period)[operator] ?? [0, '0']
  return { count, burntUnits: BigInt(burntUnits) }
}

export function noteOffence(state: StateView, operator: string, period: number, burntUnits: bigint): void {
  const before = offencesIn(state, operator, period)
  state.set(countsKey(period), {
    ...countsOf(state, period),
    [operator]: [before.count + 1, (before.burntUnits + burntUnits).toString()]
  })
}

/** Of a period that is settled. */
export function forgetOffences(state: StateView, period: number): void {
  if (state.get(countsKey(period)) !== undefined) state.delete(countsKey(period))
}

function countsOf(state: StateView, period: number): Stored {
  return (state.get(countsKey(period)) as Stored | undefined) ?? {}
}
