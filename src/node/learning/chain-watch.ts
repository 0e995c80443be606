import type { Chains, Genesis, HandlerRegistry, PartVersion } from '../../dag/index.ts'
import {
  type CommittedClock,
  createCommittedClock,
  type LearningChain,
  modelsLearnt,
  readRound
} from '../../learning/index.ts'
import type { EventService } from '../event-service.ts'

export type ChainWatchNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Pick<Chains, 'state' | 'parts' | 'lastCheckpoint' | 'onFinal'>
  readonly events: Pick<EventService, 'submit'>
  /** As text. */
  readonly account: string
}

/** The chains as learning sees them: its rounds as they change, and committed time between commits. */
export interface ChainWatch extends LearningChain {
  start(onChange: () => void): void
  stop(): void
}

const lookEveryMs = 200
const submitTimeoutMs = 10_000

export function createChainWatch(needs: ChainWatchNeeds): ChainWatch {
  return new LearningWatch(needs)
}

class LearningWatch implements ChainWatch {
  readonly #needs: ChainWatchNeeds
  readonly #clock: CommittedClock = createCommittedClock(() => performance.now())
  readonly genesis: Genesis
  readonly account: string
  #waiters: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #stopListening: () => void = () => {}
  #onChange: () => void = () => {}
  #noted = ''

  constructor(needs: ChainWatchNeeds) {
    this.#needs = needs
    this.genesis = needs.genesis
    this.account = needs.account
  }

  get state(): Chains['state'] {
    return this.#needs.chains.state
  }

  newest(part: string): PartVersion | undefined {
    return this.#needs.chains.parts.newest(part)
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  start(onChange: () => void): void {
    this.#onChange = onChange
    this.#stopListening = this.#needs.chains.onFinal(() => this.#look())
    this.#timer = setInterval(() => this.#look(), lookEveryMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#stopListening()
    this.#wake()
  }

  async submit(type: string, json: unknown): Promise<{ eventId: string }> {
    const { handlers, events } = this.#needs
    const payload = handlers.get(type).encodePayload(json)
    const { eventId } = await events.submit({ type, payload }, { wait: true, timeoutMs: submitTimeoutMs })
    return { eventId }
  }

  changed(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise(resolve => {
      const done = (): void => {
        signal?.removeEventListener('abort', done)
        resolve()
      }
      signal?.addEventListener('abort', done, { once: true })
      this.#waiters.push(done)
    })
  }

  #look(): void {
    this.#noteTime()
    this.#wake()
    this.#onChange()
  }

  /** Times are noted once, when they are new: an old one says less with every moment. */
  #noteTime(): void {
    const { lastCheckpoint, state } = this.#needs.chains
    const times = modelsLearnt(state).flatMap(model => readRound(state, model)?.phaseAtMs ?? [])
    if (lastCheckpoint !== undefined) times.push(lastCheckpoint.timestampMs)
    const noted = times.join()
    if (noted === this.#noted) return
    this.#noted = noted
    this.#clock.note(Math.max(...times))
  }

  #wake(): void {
    for (const done of this.#waiters.splice(0)) done()
  }
}
