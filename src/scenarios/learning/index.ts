/** Learning at scale: rounds of the real handlers over simulated machines and lines. Loaded apart from the other scenarios. */
export { createFileSizes, type FileSizes } from './file-sizes.ts'
export { drawLearningPicture } from './learning-picture.ts'
export { type LearningRow, learningRow, seedPath, seedRows } from './learning-rows.ts'
export { type LearningResult, runLearning } from './run-learning.ts'
export {
  defaultSetting,
  type LearningSetting,
  simulatedLearnersMax,
  simulatedRegionsMax,
  simulatedRoundsMax,
  simulatedTilesMax
} from './setting.ts'
