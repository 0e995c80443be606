import { measureBytes } from './learning/bytes.ts'
import { measureHostile } from './learning/hostile-rounds.ts'
import { stepResults } from './learning/step.ts'
import type { Options, Result } from './report.ts'

/** How fast a step is, what learning over thin links costs in loss, and what hostile learners can do to it. */
export async function learningSuite(options: Options): Promise<Result[]> {
  return [...(await stepResults(options)), ...(await measureHostile(options)), ...(await measureBytes(options))]
}
