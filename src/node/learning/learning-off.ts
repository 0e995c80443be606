import { BlyanError } from '../../errors/index.ts'
import type { LearningAccess, LearningStatus } from './learning-status-types.ts'

const nothingDone = {
  aggregated: 0,
  replayed: 0,
  challenged: 0,
  measured: 0,
  accepted: 0,
  refused: 0,
  failoverMs: null
}

/** Of a network that does not learn: tells so to whoever asks. */
export function learningOff(reason: string): LearningAccess {
  const status: LearningStatus = {
    state: 'off',
    failure: null,
    model: 'genesis',
    round: null,
    learner: null,
    duties: nothingDone,
    candidates: []
  }
  const refusal = (): BlyanError => new BlyanError('LEARNING_OFF', { reason })
  return {
    status: () => status,
    start: async () => {
      throw refusal()
    },
    stop: async () => {},
    async *propose() {
      yield await Promise.reject(refusal())
    },
    async *changes(signal) {
      yield status
      if (!signal.aborted)
        await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
    }
  }
}
