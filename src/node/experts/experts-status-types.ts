import type { Quantiles } from '../answers/answer-meter.ts'

/** What this node computes, holds and asks of others: a part of its status. Plain JSON. */
export type ExpertsStatus = {
  readonly engine: {
    readonly state: string
    readonly restarts: number
    readonly residentBytes: number
    readonly mappedBytes: number
    readonly prepackedBytes: number
    /** Share of graph runs that found prepacked weights, 0 to 1; null before the first. */
    readonly cacheHitRate: number | null
    readonly cacheEvictions: number
  }
  readonly answers: {
    readonly running: number
    readonly waiting: number
    readonly made: number
    readonly tokens: number
    readonly firstTokenMs: Quantiles | null
    /** Measured through predicted tokens a second; 1 is right. */
    readonly predictionRatio: Quantiles | null
  }
  readonly calls: {
    readonly made: number
    readonly failed: number
    readonly rowsElsewhere: number
    readonly latencyMs: Quantiles | null
    readonly served: number
    readonly rowsServed: number
    readonly refused: number
  }
  readonly kept: {
    readonly held: number
    readonly heldBytes: number
    readonly bytesMax: number
    readonly fetched: number
    readonly dropped: number
    readonly hot: number
  }
  /** Other nodes that hold experts, as far as this one knows. */
  readonly holders: number
}
