/**
 * scenarios: what would happen to the economy if, run with the ledger's own handlers and rules over generated periods.
 * In: a scenario file, a seed, and the handlers that a node has. Out: numbers for each period, answers, a picture.
 * Pure: it knows no network, disk, clock or random source; the same seed gives the same result everywhere.
 */
export type { Answer } from './answers.ts'
export type { LearningRow, LearningSetting } from './learning/index.ts'
export { type MeasureName, measureNames, measures, type Row } from './measures.ts'
export { drawPicture } from './picture.ts'
export { runScenario, type ScenarioResult } from './run-scenario.ts'
export { parseScenario, periodsMax, type Scenario, scenarioBytesMax } from './scenario.ts'

/** Learning at scale brings the codecs and handlers of learning along: it is loaded where it is asked for. */
export const importLearningScenario = () => import('./learning/index.ts')
