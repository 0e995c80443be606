import type { Genesis, StateView } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { continuityParameters } from './parameter-tables/continuity.ts'
import { giftedParameters } from './parameter-tables/gifted.ts'
import { learningParameters } from './parameter-tables/learning.ts'
import { moneyParameters } from './parameter-tables/money.ts'
import type { Parameter } from './parameter-tables/parameter.ts'
import { rewardParameters } from './parameter-tables/rewards.ts'
import { slashingParameters } from './parameter-tables/slashing.ts'
import { stakingParameters } from './parameter-tables/staking.ts'
import { voteParameters } from './parameter-tables/votes.ts'

/** Everything about the economy that a vote can change. */
export const parameterTable = {
  ...moneyParameters,
  ...stakingParameters,
  ...rewardParameters,
  ...slashingParameters,
  ...voteParameters,
  ...giftedParameters,
  ...continuityParameters,
  ...learningParameters
} as const satisfies Record<string, Parameter>

export type ParameterName = keyof typeof parameterTable

function isParameter(name: string): name is ParameterName {
  return Object.hasOwn(parameterTable, name)
}

/** As voted, else as in genesis, else the usual value. */
export function parameterOf(state: StateView, genesis: Genesis, name: ParameterName): bigint {
  const voted = state.get(parameterKey(name))
  if (typeof voted === 'string') return BigInt(voted)
  const written = genesis.file.economy?.parameters[name]
  return written === undefined ? parameterTable[name].usual : BigInt(written)
}

/** A duration or count as a number. */
export function numberOf(state: StateView, genesis: Genesis, name: ParameterName): number {
  return Number(parameterOf(state, genesis, name))
}

/** Throws PARAMETER_UNKNOWN, PARAMETER_OUT_OF_RANGE. */
export function checkedParameter(name: string, value: bigint): ParameterName {
  if (!isParameter(name)) throw new BlyanError('PARAMETER_UNKNOWN', { name })
  const { min, max } = parameterTable[name]
  if (value < min || value > max)
    throw new BlyanError('PARAMETER_OUT_OF_RANGE', { name, min: min.toString(), max: max.toString() })
  return name
}

export function writeParameter(state: StateView, name: ParameterName, value: bigint | undefined): void {
  if (value === undefined) state.delete(parameterKey(name))
  else state.set(parameterKey(name), value.toString())
}

function parameterKey(name: ParameterName): string {
  return `parameter/${name}`
}
