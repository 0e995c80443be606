import type { Genesis, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { numberOf, parameterOf } from '../../ledger/index.ts'
import type { StateReader } from './store.ts'

export type LearningSettings = {
  readonly windowMs: number
  readonly revealMs: number
  readonly aggregateMs: number
  readonly backupMs: number
  readonly measureMs: number
  readonly publishMs: number
  readonly sequences: number
  readonly gainPpm: number
  readonly workBits: number
  readonly rewardUnits: bigint
}

/** Whether a network learns: it has an economy, and a window. */
export function learningIsOn(state: StateReader, genesis: Genesis): boolean {
  return genesis.file.economy !== undefined && numberOf(state as StateView, genesis, 'learningWindowMs') > 0
}

export function learningSettings(state: StateReader, genesis: Genesis): LearningSettings {
  const view = state as StateView
  return {
    windowMs: numberOf(view, genesis, 'learningWindowMs'),
    revealMs: numberOf(view, genesis, 'learningRevealMs'),
    aggregateMs: numberOf(view, genesis, 'learningAggregateMs'),
    backupMs: numberOf(view, genesis, 'learningBackupMs'),
    measureMs: numberOf(view, genesis, 'learningMeasureMs'),
    publishMs: numberOf(view, genesis, 'learningPublishMs'),
    sequences: numberOf(view, genesis, 'learningSequences'),
    gainPpm: numberOf(view, genesis, 'learningGainPpm'),
    workBits: numberOf(view, genesis, 'learningWorkBits'),
    rewardUnits: parameterOf(view, genesis, 'learningRewardUnits')
  }
}

/** Throws LEARNING_OFF. */
export function requireLearning(state: StateReader, genesis: Genesis): void {
  if (!learningIsOn(state, genesis)) throw new BlyanError('LEARNING_OFF', { reason: 'learningWindowMs is 0' })
}
