import { BlyanError } from '../../src/errors/index.ts'
import type {
  LearnerStatus,
  LearningAccess,
  LearningStatus,
  LearnRequest,
  MiningLine,
  ProposeRequest
} from '../../src/node/index.ts'

/** Learning that is written down beforehand; a test moves it on with `set`. */
export type LearningDouble = LearningAccess & {
  readonly started: LearnRequest[]
  readonly proposed: ProposeRequest[]
  stops: number
  /** Who listens to changes now. */
  listeners: number
  /** Changes what is told; whoever listens hears of it. */
  set(change: Partial<LearningStatus>): void
  setLearner(change: Partial<LearnerStatus>): void
}

export const sampleLearner: LearnerStatus = {
  folder: '/texts',
  corpus: { name: 'texts', files: 3, trainingBytes: 30_000, heldOutBytes: 2000, skipped: { binary: 1 } },
  device: 'cpu',
  step: 40,
  lossNats: 3.25,
  heldOutLossNats: 3.5,
  tokens: 40_960,
  tokensPerSecond: 2048,
  deltas: { committed: 2, accepted: 1, refused: 1, pending: 0 },
  outcomes: [
    { round: 1, accepted: true, reason: 'none', gainNano: 2_000_000, sizeBytes: 54_321, earnedUnits: '1500000000' },
    { round: 2, accepted: false, reason: 'no-gain', gainNano: -5, sizeBytes: 54_000, earnedUnits: '0' }
  ],
  bytesUp: 108_321,
  bytesDown: 900_000,
  earnedUnits: '1500000000',
  trust: 'newcomer',
  quotaLeft: 18,
  codec: 'lr8+k32',
  stepsInWindow: 20,
  pausedMs: 250
}

const nothingYet = { deltas: { committed: 0, accepted: 0, refused: 0, pending: 0 }, outcomes: [] }

export const sampleLearning: LearningStatus = {
  state: 'off',
  failure: null,
  model: 'genesis',
  round: { number: 3, phase: 'training', endsInMs: 9000, learners: 2, commits: 1, reveals: 0 },
  learner: null,
  duties: { aggregated: 1, replayed: 2, challenged: 0, measured: 2, accepted: 1, refused: 1, failoverMs: null },
  candidates: [
    {
      id: 'c1',
      source: 'round',
      round: 1,
      author: 'z6MkPrimary',
      status: 'published',
      reason: 'none',
      parts: 9,
      beforeNano: 5_500_000_000,
      afterNano: 5_250_000_000,
      openedAt: '2026-01-01T00:00:00Z'
    },
    {
      id: 'c2',
      source: 'proposal',
      round: 2,
      author: 'z6Mk\u001b[31m',
      status: 'refused',
      reason: 'no-gain',
      parts: 2,
      beforeNano: 5_250_000_000,
      afterNano: 5_260_000_000,
      openedAt: '2026-01-01T00:01:00Z'
    }
  ]
}

export function createLearningDouble(): LearningDouble {
  let status = sampleLearning
  let changed = Promise.withResolvers<void>()
  const double: LearningDouble = {
    started: [],
    proposed: [],
    stops: 0,
    listeners: 0,
    status: () => status,
    set(change) {
      status = { ...status, ...change }
      changed.resolve()
      changed = Promise.withResolvers()
    },
    setLearner(change) {
      double.set({ learner: { ...(status.learner ?? sampleLearner), ...change } })
    },
    async start(request) {
      if (status.learner !== null) throw new BlyanError('LEARNING_RUNNING', { folder: status.learner.folder })
      if (request.model === 'huge') throw new BlyanError('MODEL_UNKNOWN', { model: 'huge', known: 'genesis' })
      if (request.codec === 'zip') throw new BlyanError('LEARNING_CODEC_UNKNOWN', { codec: 'zip', known: 'lr8+k32' })
      double.started.push(request)
      double.set({ state: 'training', learner: { ...sampleLearner, ...nothingYet, folder: request.folder } })
    },
    async stop() {
      double.stops++
      double.set({ state: 'off', learner: null })
    },
    propose(request) {
      double.proposed.push(request)
      return proposal(request)
    },
    async *changes(signal) {
      const { promise: gone, resolve } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => resolve(), { once: true })
      double.listeners++
      try {
        while (!signal.aborted) {
          const next = changed.promise
          yield status
          await Promise.race([next, gone])
        }
      } finally {
        double.listeners--
      }
    }
  }
  return double
}

async function* proposal(request: ProposeRequest): AsyncGenerator<MiningLine> {
  if (!request.parts.every(part => /^layer\d+\.expert\d+$/.test(part)))
    throw new BlyanError('LEARNING_PART_UNKNOWN', {
      part: request.parts.join(),
      model: 'genesis',
      known: 'layer0.expert0'
    })
  yield { kind: 'corpus', corpus: sampleLearner.corpus! }
  for (const step of [1, request.steps])
    yield { kind: 'step', step, steps: request.steps, lossNats: 5 - step / request.steps, tokensPerSecond: 1000 }
  const parts = request.parts.map(name => ({ name, base: 'bafyold', tensor: 'bafynew' }))
  yield { kind: 'trained', beforeNats: 5, afterNats: 4.5, parts }
  yield { kind: 'proposed', candidate: 'c3', eventId: 'event9' }
  const numbers = { beforeNano: 5_000_000_000, afterNano: 4_500_000_000 }
  yield { kind: 'decided', candidate: 'c3', status: 'published', reason: 'none', ...numbers }
}
