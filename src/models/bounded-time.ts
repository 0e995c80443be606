import { runInNewContext } from 'node:vm'

/**
 * Runs `work` and ends it after so many milliseconds. Templates and patterns of tokenizers are written by whoever
 * published the model, and one that never ends must not hold up a node. Throws ERR_SCRIPT_EXECUTION_TIMEOUT then.
 */
export function withinTime<T>(timeMsMax: number, work: () => T): T {
  return runInNewContext('work()', { work }, { timeout: timeMsMax }) as T
}
