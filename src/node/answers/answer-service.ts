import { randomUUID } from 'node:crypto'
import { BlyanError, isBlyanError } from '../../errors/index.ts'
import type { Engine } from '../../experts/index.ts'
import type { ExpertCaller } from '../../routing/index.ts'
import type { FetchOptions } from '../../tiles/index.ts'
import type { ExpertBook } from '../experts/expert-book.ts'
import type { ExpertPlace, ExpertPlaces } from '../experts/expert-places.ts'
import type { ModelEngine } from '../experts/model-engine.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'
import type { ModelVersions } from '../models/model-version.ts'
import type { AnswerMeter } from './answer-meter.ts'
import { planOf } from './answer-plan.ts'
import type { AnswerQueue } from './answer-queue.ts'
import type { AnswerMode, AnswerReport, AnswerRequest, ModelEntry, RunningAnswer } from './answer-types.ts'
import { runAnswer } from './running-answer.ts'

/** Makes answers: waits for a place, brings what is needed here, plans, then lets the engine run. */
export interface Answering {
  /** As `AnswerService.answer`; further as fetchTensor and `Engine.loadModel` throw. */
  answer(request: AnswerRequest): Promise<RunningAnswer>
}

export type AnsweringNeeds = {
  readonly catalogue: Pick<ModelCatalogue, 'complete'>
  readonly versions: ModelVersions
  readonly engine: Pick<ModelEngine, 'mend'>
  readonly places: Pick<ExpertPlaces, 'modeFor' | 'enter'>
  readonly queue: AnswerQueue
  readonly meter: AnswerMeter
  readonly book: Pick<ExpertBook, 'beginGrouping' | 'endGrouping'>
  readonly caller: Pick<ExpertCaller, 'begin' | 'end' | 'tally' | 'plan' | 'warm'>
  readonly nowMs: () => number
  /** Called at the end of every answer, also of one that was cancelled: what others computed for it is to be paid. */
  readonly onAnswered?: ((report: AnswerReport) => void) | undefined
}

/** Parts of a large model come over the network. */
const fetchTimeoutMs = 30 * 60_000
/** Who asked and takes no step gives the place back after this. */
const untakenMsMax = 60_000
/** An answer goes on after its engine died, or a damaged file was fetched again, so many times. */
const resumesMax = 3
const rehearsalTokens = 8
const rehearsalMsMax = 5_000
const rehearsedMax = 256

export function createAnswering(needs: AnsweringNeeds): Answering {
  return new PlannedAnswering(needs)
}

/** One answer that has its place. */
type Seat = {
  readonly id: string
  readonly entry: ModelEntry
  readonly request: AnswerRequest
  readonly mode: AnswerMode
  readonly place: ExpertPlace
  readonly leave: (tookMs: number) => void
}

class PlannedAnswering implements Answering {
  readonly #needs: AnsweringNeeds
  /** Models that were rehearsed. */
  readonly #rehearsed = new Set<string>()

  constructor(needs: AnsweringNeeds) {
    this.#needs = needs
  }

  async answer(request: AnswerRequest): Promise<RunningAnswer> {
    const { catalogue, queue, places, versions } = this.#needs
    const newest = catalogue.complete(request.model)
    checkPrompt(newest, request)
    const turn = await queue.enter(request.signal)
    let place: ExpertPlace | undefined
    try {
      const options = { timeoutMs: fetchTimeoutMs, signal: request.signal }
      const entry = await versions.of(newest, request.parts, options)
      // Others answer for the newest versions alone.
      const mode = entry === newest ? places.modeFor(entry, request.mode) : 'standard'
      const entered = await this.#enter(entry, mode, options)
      place = entered
      request.signal.throwIfAborted()
      const leave = (tookMs: number): void => {
        entered.leave()
        turn.leave(tookMs)
      }
      const seat: Seat = { id: randomUUID(), entry, request, mode, place, leave }
      await this.#rehearse(seat)
      return this.#begin(seat)
    } catch (error) {
      place?.leave()
      turn.leave()
      throw error
    }
  }

  /**
   * A few tokens before the first answer that needs others, so that its plan can say how fast it will be: what this
   * machine takes for a token, and how far away the holders are.
   */
  async #rehearse(seat: Seat): Promise<void> {
    const { entry, place, request } = seat
    if (place.elsewhere.length === 0 || this.#rehearsed.has(entry.name)) return
    if (this.#rehearsed.size >= rehearsedMax) this.#rehearsed.clear()
    this.#rehearsed.add(entry.name)
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(rehearsalMsMax)])
    const few = { ...request, tokens: request.tokens.subarray(0, rehearsalTokens), tokensMax: rehearsalTokens, signal }
    const rehearsal = this.#begin({ ...seat, id: randomUUID(), request: few, leave: () => {} })
    try {
      for await (const _ of rehearsal.steps) signal.throwIfAborted()
    } catch {
      // What is wrong will be wrong with the answer too, and be said there.
      request.signal.throwIfAborted()
    }
  }

  /** Tries once more where a file that is damaged can be fetched again. */
  async #enter(entry: ModelEntry, mode: AnswerMode, options: FetchOptions): Promise<ExpertPlace> {
    try {
      return await this.#needs.places.enter(entry, mode, options)
    } catch (error) {
      if (!(await this.#needs.engine.mend(entry, error))) throw error
      return this.#needs.places.enter(entry, mode, options)
    }
  }

  #begin(seat: Seat): RunningAnswer {
    const { caller, meter, queue, book, nowMs } = this.#needs
    const { id, entry, request, mode, place } = seat
    const homeMsPerToken = meter.homeMsPerToken(entry.name)
    const plan = planOf({ entry, mode, elsewhere: place.elsewhere, caller, homeMsPerToken, batch: queue.running })
    caller.begin(id, { mode: mode === 'standard' ? 'distributed' : mode })
    if (mode === 'optimised') book.beginGrouping(id)
    // Channels open while the prompt is read here, so that the first call finds them warm.
    if (place.elsewhere.length > 0) caller.warm(place.elsewhere.map(part => part.tensor))
    const answer = runAnswer({
      id,
      model: entry.name,
      plan,
      promptTokens: request.tokens.length,
      stopTokens: request.stopTokens,
      nowMs,
      make: () => this.#make(seat),
      tally: () => caller.tally(id),
      onStep: (tokens, elapsedMs) => meter.noteStep(entry.name, id, tokens, elapsedMs),
      onEnd: report => {
        clearTimeout(untaken)
        request.signal.removeEventListener('abort', abandon)
        caller.end(id)
        book.endGrouping(id)
        meter.noteAnswer(id, report)
        this.#needs.onAnswered?.(report)
        seat.leave(report.elapsedMs)
      }
    })
    const abandon = (): void => answer.abandon()
    const untaken = setTimeout(abandon, untakenMsMax).unref()
    request.signal.addEventListener('abort', abandon, { once: true })
    return answer
  }

  /** Goes on where it was when the engine is lost: what was made is read again with the prompt. */
  async *#make(seat: Seat): AsyncGenerator<{ readonly tokens: Uint32Array }> {
    const { request, entry } = seat
    const made: number[] = []
    for (let resumes = 0; ; resumes++) {
      try {
        for await (const step of seat.place.engine.generateTokens(this.#rest(seat, made))) {
          made.push(...step.tokens)
          yield step
        }
        return
      } catch (error) {
        const isOver = request.signal.aborted || resumes === resumesMax || made.length >= this.#tokensMax(seat)
        if (isOver) throw error
        if (isBlyanError(error, 'ENGINE_LOST')) continue
        if (!(await this.#needs.engine.mend(entry, error))) throw error
        const again = await this.#enter(entry, seat.mode, { timeoutMs: fetchTimeoutMs, signal: request.signal })
        again.leave()
      }
    }
  }

  #rest(seat: Seat, made: readonly number[]): Parameters<Engine['generateTokens']>[0] {
    const { request, entry, id } = seat
    const { temperature, topP, seed } = request.sampling
    return {
      model: entry.name,
      tokens: made.length === 0 ? request.tokens : Uint32Array.from([...request.tokens, ...made]),
      tokensMax: this.#tokensMax(seat) - made.length,
      stopTokens: request.stopTokens,
      // What is drawn after a resume must not be drawn with the numbers that made the beginning.
      sampling: { temperature, topP, seed: made.length === 0 ? seed : `${seed}/${made.length}` },
      requestId: id,
      signal: request.signal
    }
  }

  #tokensMax({ entry, request }: Seat): number {
    return Math.min(request.tokensMax, entry.architecture.contextTokens - request.tokens.length)
  }
}

/** Throws PROMPT_EMPTY, PROMPT_TOO_LONG, PROMPT_INVALID. */
function checkPrompt(entry: ModelEntry, { tokens }: AnswerRequest): void {
  const { contextTokens, vocabulary } = entry.architecture
  if (tokens.length === 0) throw new BlyanError('PROMPT_EMPTY')
  if (tokens.length >= contextTokens)
    throw new BlyanError('PROMPT_TOO_LONG', { tokens: tokens.length, model: entry.name, tokensMax: contextTokens - 1 })
  const foreign = tokens.find(token => token >= vocabulary)
  if (foreign !== undefined)
    throw new BlyanError('PROMPT_INVALID', { model: entry.name, reason: `token ${foreign} is not below ${vocabulary}` })
}
