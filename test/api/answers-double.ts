import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { BlyanError } from '../../src/errors/index.ts'
import { genesisArchitecture } from '../../src/experts/index.ts'
import { createTokenizer } from '../../src/models/index.ts'
import type { AnswerPlan, AnswerReport, AnswerRequest, BlyanNode, ModelEntry } from '../../src/node/index.ts'

/** Answers that are written down beforehand, token by token, with a gate before each step that a test may hold shut. */
export type AnswersDouble = Pick<BlyanNode, 'models' | 'tokenizer' | 'answer'> & {
  readonly asked: AnswerRequest[]
  /** Answers that run now. */
  readonly open: () => number
  /** What the next answers say, a step each; `endless` repeats it until it is cancelled. */
  say(steps: readonly (string | Uint8Array)[], options?: { endless?: boolean; failure?: Error }): void
  /** Steps wait while it is shut. */
  gate: Promise<void>
  /** At most so many answers at a time; others are refused. */
  openMax: number
}

export const samplePlan: AnswerPlan = {
  mode: 'distributed',
  predictedTokensPerSecond: 12.5,
  localExperts: 3,
  remoteExperts: 2,
  holders: [{ peerId: '12D3KooWHolder', experts: 2, roundTripMs: 4 }],
  why: 'two experts are elsewhere'
}

export const sampleModels: readonly ModelEntry[] = [
  entryOf('genesis', true, 4096),
  entryOf('half', false, 64),
  entryOf('tiny', false, 64)
]

export function createAnswersDouble(): AnswersDouble {
  let [steps, isEndless, failure] = [
    ['Hello ', 'there.'] as readonly (string | Uint8Array)[],
    false,
    undefined as Error | undefined
  ]
  let openNow = 0
  const tokenizer = createTokenizer('bytes')
  const double: AnswersDouble = {
    asked: [],
    gate: Promise.resolve(),
    openMax: 1000,
    open: () => openNow,
    say: (said, options = {}) => {
      steps = said
      isEndless = options.endless === true
      failure = options.failure
    },
    models: () => [...sampleModels],
    tokenizer: async model => {
      requireComplete(model)
      return tokenizer
    },
    answer: async request => {
      const model = request.model ?? 'genesis'
      requireComplete(model)
      const tokensMax = sampleModels.find(({ name }) => name === model)!.architecture.contextTokens
      if (request.tokens.length >= tokensMax)
        throw new BlyanError('PROMPT_TOO_LONG', { tokens: request.tokens.length, model, tokensMax })
      if (openNow >= double.openMax)
        throw new BlyanError('ANSWER_QUEUE_FULL', { running: openNow, waiting: 0, retryAfterMs: 2500 })
      double.asked.push(request)
      openNow++
      request.signal.addEventListener('abort', () => abandon(), { once: true })
      const said = { steps, isEndless, failure }
      let [tokens, isOver] = [0, false]
      const abandon = (): void => {
        if (!isOver) openNow--
        isOver = true
      }
      async function* take(): AsyncGenerator<{ tokens: Uint32Array }> {
        try {
          do {
            for (const step of said.steps) {
              await Promise.race([double.gate, aborted(request.signal)])
              if (said.isEndless) await setTimeout(1)
              request.signal.throwIfAborted()
              const bytes = typeof step === 'string' ? new TextEncoder().encode(step) : step
              const left = Uint32Array.from(bytes.subarray(0, request.tokensMax - tokens))
              tokens += left.length
              if (left.length > 0) yield { tokens: left }
              if (tokens >= request.tokensMax) return
            }
          } while (said.isEndless)
          if (said.failure !== undefined) throw said.failure
        } finally {
          abandon()
        }
      }
      const report = (): AnswerReport => ({
        promptTokens: request.tokens.length,
        tokens,
        elapsedMs: 20,
        firstTokenMs: tokens === 0 ? null : 5,
        tokensPerSecond: tokens < 2 ? 0 : 40,
        predictedTokensPerSecond: samplePlan.predictedTokensPerSecond,
        holders: [
          {
            peerId: '12D3KooWHolder',
            account: 'z6MkHolder',
            calls: tokens,
            rows: tokens,
            costUnits: String(tokens * 1000)
          }
        ],
        costUnits: String(tokens * 1000),
        coin: 'BLY'
      })
      const id = createHash('sha256').update(String(double.asked.length)).digest('hex').slice(0, 16)
      return { id, model, plan: { ...samplePlan, mode: request.mode ?? 'distributed' }, steps: take(), report }
    }
  }
  return double
}

function requireComplete(model: string | undefined): void {
  const known = sampleModels.map(({ name }) => name)
  if (model !== undefined && !known.includes(model))
    throw new BlyanError('MODEL_UNKNOWN', { model, known: known.join(', ') })
  if (model === 'half') throw new BlyanError('MODEL_INCOMPLETE', { model, missing: 3, parts: 9, first: 'output' })
}

function entryOf(name: string, isGenesis: boolean, contextTokens: number): ModelEntry {
  return {
    name,
    architecture: { ...genesisArchitecture('x'), contextTokens },
    isGenesis,
    block: 'bafyA',
    author: isGenesis ? null : 'z6MkAuthor',
    tokenizer: null,
    parts: [],
    isComplete: name !== 'half'
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
