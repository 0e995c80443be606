import type { Genesis, StateView } from '../../dag/index.ts'
import { type ParameterName, parameterOf, writeParameter } from '../parameters.ts'
import { checkChanges } from './invariants.ts'
import type { ParameterChange } from './payloads.ts'

/** Which proposal set a parameter, and when. */
export type ParameterOrigin = { readonly proposal: number; readonly timeMs: number }

/** What an emergency replaces for a time: the value that comes back, null for that of genesis. */
type Adjusted = { readonly proposal: number; readonly before: string | null; readonly origin: ParameterOrigin | null }

const adjustable = 'rewardBaseUnits' satisfies ParameterName
const adjustedKey = 'emergency/adjusted'
const originKey = (name: string): string => `parameter-set/${name}`

export function originOf(state: StateView, name: string): ParameterOrigin | undefined {
  return state.get(originKey(name)) as ParameterOrigin | undefined
}

/** Which emergency holds the rewards down. */
export function adjustedBy(state: StateView): number | undefined {
  return (state.get(adjustedKey) as Adjusted | undefined)?.proposal
}

/** Sets what was voted. While an emergency holds a parameter, the new value comes when that ends. Throws as checkChanges. */
export function applyChanges(
  state: StateView,
  genesis: Genesis,
  changes: readonly ParameterChange[],
  origin: ParameterOrigin
): void {
  checkChanges(state, genesis, changes)
  const adjusted = state.get(adjustedKey) as Adjusted | undefined
  for (const { name, value } of changes) {
    if (name === adjustable && adjusted !== undefined) state.set(adjustedKey, { ...adjusted, before: value, origin })
    else {
      writeParameter(state, name as ParameterName, BigInt(value))
      state.set(originKey(name), origin)
    }
  }
}

/** Lowers the rewards for as long as the emergency is in force. */
export function adjustRewards(state: StateView, units: bigint, origin: ParameterOrigin): void {
  const before = state.get(`parameter/${adjustable}`)
  const adjusted: Adjusted = {
    proposal: origin.proposal,
    before: typeof before === 'string' ? before : null,
    origin: originOf(state, adjustable) ?? null
  }
  state.set(adjustedKey, adjusted)
  writeParameter(state, adjustable, units)
  state.set(originKey(adjustable), origin)
}

/** As it was before, or as it was voted meanwhile. */
export function restoreRewards(state: StateView): void {
  const { before, origin } = state.get(adjustedKey) as Adjusted
  state.delete(adjustedKey)
  writeParameter(state, adjustable, before === null ? undefined : BigInt(before))
  if (origin === null) state.delete(originKey(adjustable))
  else state.set(originKey(adjustable), origin)
}

export function rewardsNow(state: StateView, genesis: Genesis): bigint {
  return parameterOf(state, genesis, adjustable)
}
