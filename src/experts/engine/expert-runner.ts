import type { ModelShape } from '../model/architecture.ts'
import type { ExpertRows, Feeds, ModelRunner, SequenceStep } from '../model/forward.ts'
import type { CallExperts } from './engine-types.ts'
import type { ExpertUses } from './expert-uses.ts'
import type { SessionLease } from './model-sessions.ts'
import type { Turns } from './turns.ts'

/** A sequence of a step that may need experts of others. */
export type NamedSequence = SequenceStep & { readonly requestId: string; readonly isPrompt: boolean }

export type ExpertRunnerNeeds = {
  readonly model: string
  readonly shape: ModelShape
  readonly lease: SessionLease
  readonly uses: ExpertUses
  /** Experts that are asked of others although they are here. */
  readonly elsewhere: ReadonlySet<string>
  /** Undefined: all experts must be here. */
  readonly callExperts: CallExperts | undefined
  readonly turns: Turns
  /** Answers have said that they compute; background work asks before each graph. */
  readonly priority: 'answer' | 'background'
  readonly signal: AbortSignal
  /** Hears of answers whose experts could not be had. With none left the step ends with the error. */
  readonly onLost?: (requests: readonly string[], error: unknown) => void
  readonly onGraph?: () => void
}

/** Runs a step: graphs here, experts here or elsewhere, both at the same time. Stops before the next graph once aborted. */
export function createExpertRunner(needs: ExpertRunnerNeeds): ModelRunner<NamedSequence> {
  return new HereAndElsewhere(needs)
}

type Placed = { readonly load: ExpertRows; readonly index: number }

class HereAndElsewhere implements ModelRunner<NamedSequence> {
  readonly shape: ModelShape
  readonly #needs: ExpertRunnerNeeds

  constructor(needs: ExpertRunnerNeeds) {
    this.shape = needs.shape
    this.#needs = needs
  }

  async run(graph: string, feeds: Feeds): Promise<Record<string, Float32Array>> {
    const { signal, lease, turns, priority, onGraph } = this.#needs
    onGraph?.()
    if (priority === 'background') await turns.background()
    signal.throwIfAborted()
    return lease.run(graph, feeds)
  }

  async experts(
    layer: number,
    loads: readonly ExpertRows[],
    sequences: readonly NamedSequence[]
  ): Promise<readonly (Float32Array | null)[]> {
    const results = Array<Float32Array | null>(loads.length).fill(null)
    const here: Placed[] = []
    const away: Placed[] = []
    loads.forEach((load, index) => {
      const name = expertName(layer, load.expert)
      const isAway = this.#isElsewhere(name)
      this.#needs.uses.note(name, load.rows.length / this.shape.width, isAway)
      if (isAway) away.push({ load, index })
      else here.push({ load, index })
    })
    const over = new AbortController()
    const called = away.length === 0 ? undefined : this.#call(layer, away, sequences, over.signal)
    // It is awaited only after what is computed here, which may throw first.
    called?.catch(() => {})
    try {
      for (const { load, index } of here) {
        const { rows } = load
        const dimensions = [rows.length / this.shape.width, this.shape.width]
        const { result } = await this.run(expertName(layer, load.expert), { tokens: { data: rows, dimensions } })
        results[index] = result!
      }
      if (called !== undefined) {
        const found = await this.#whileOthersCompute(called)
        away.forEach(({ index }, i) => {
          results[index] = found?.[i] ?? null
        })
      }
    } finally {
      over.abort(new Error('the step is over'))
    }
    return results
  }

  #isElsewhere(name: string): boolean {
    const { callExperts, elsewhere, lease } = this.#needs
    return callExperts !== undefined && (elsewhere.has(name) || !lease.has(name))
  }

  /** One message for all of a layer's experts that are elsewhere; undefined when they could not be had. */
  async #call(
    layer: number,
    away: readonly Placed[],
    sequences: readonly NamedSequence[],
    over: AbortSignal
  ): Promise<readonly Float32Array[] | undefined> {
    const { model, callExperts, signal, onLost } = this.#needs
    const wanted = [...new Set(away.flatMap(({ load }) => [...load.sequenceOfRow]))].sort((a, b) => a - b)
    const place = new Map(wanted.map((sequence, i) => [sequence, i]))
    const requests = wanted.map(sequence => sequences[sequence]!.requestId)
    try {
      return await callExperts!({
        model,
        layer,
        loads: away.map(({ load: { expert, rows, sequenceOfRow } }) => {
          return { expert, rows, requestOfRow: sequenceOfRow.map(sequence => place.get(sequence)!) }
        }),
        requests,
        isPrompt: wanted.some(sequence => sequences[sequence]!.isPrompt),
        signal: AbortSignal.any([signal, over])
      })
    } catch (error) {
      if (onLost === undefined || signal.aborted || wanted.length === sequences.length) {
        onLost?.(requests, error)
        throw error
      }
      onLost(requests, error)
      return undefined
    }
  }

  async #whileOthersCompute<Value>(called: Promise<Value>): Promise<Value> {
    const { turns, priority } = this.#needs
    if (priority === 'background') return called
    turns.leave()
    try {
      return await called
    } finally {
      turns.enter()
    }
  }
}

export function expertName(layer: number, expert: number): string {
  return `layer${layer}.expert${expert}`
}
