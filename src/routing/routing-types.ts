/** What callers and holders of experts agree on. Plain data. */
import type { RemoteExpertCall } from '../experts/index.ts'

/** An expert as the network knows it: the tensor is its name and its proof. */
export type ExpertAddress = {
  /** CID of the model's meta block. */
  readonly modelBlock: string
  /** CID of the expert's tensor. */
  readonly tensor: string
  /** Floats in a row of its input and of its result. */
  readonly width: number
}

/** How a holder stands with us. */
export type HolderView = {
  readonly peerId: string
  /** Whom to pay; null where it did not say. */
  readonly account: string | null
  /** Base units of BLY for 1000 rows of one expert. */
  readonly priceUnitsPer1000Rows: bigint
  /** Score of its device as it says itself; 0 when unknown. */
  readonly score: number
  /** Calls it says it has open. */
  readonly openCalls: number
  readonly roundTripMs: number | null
  /** `suspect` and `excluded` end by themselves; then it is on probation. */
  readonly standing: 'good' | 'probation' | 'suspect' | 'excluded' | 'quarantined'
  /** Experts it holds. */
  readonly experts: number
}

/** What one holder did for one request. */
export type RequestTally = {
  readonly peerId: string
  readonly account: string | null
  readonly calls: number
  readonly rows: number
  readonly costUnits: bigint
}

export type CallMode = 'distributed' | 'optimised' | 'secure'

export type PlanRequest = {
  /** Those that would be called. */
  readonly elsewhere: readonly { readonly layer: number; readonly address: ExpertAddress }[]
  /** Experts of all layers, at home or not. */
  readonly expertsPerLayer: number
  readonly expertsPerToken: number
  readonly layers: number
  /** Time for one token when all is at home; null where nothing was measured. */
  readonly homeMsPerToken: number | null
  readonly mode: CallMode
  /** Requests that run at the same time, this one counted. */
  readonly batch: number
}

export type Plan = {
  /** Of this request alone; null where the time at home or every holder's is unknown. */
  readonly predictedTokensPerSecond: number | null
  readonly holders: readonly {
    readonly peerId: string
    readonly experts: number
    readonly roundTripMs: number | null
  }[]
  /** Tensors of experts that nobody fit to be asked holds. */
  readonly missing: readonly string[]
  /** Tensors that only one such holder has: nobody could step in for it. */
  readonly single: readonly string[]
}

/** Asks holders for what experts make of rows, and goes on when one of them fails. */
export interface ExpertCaller {
  /** Opens the account of a request. What is called for a request that was not begun counts for nobody. */
  begin(requestId: string, options: { readonly mode: CallMode }): void
  /** What holders did for a request so far. */
  tally(requestId: string): readonly RequestTally[]
  /** Closes the account and returns the last tally. */
  end(requestId: string): readonly RequestTally[]
  /**
   * Results in the order of the loads, each [rows, width]. Rejects with EXPERT_NOT_AVAILABLE once no holder and no way home is
   * left, and with the reason of the signal.
   */
  call(request: RemoteExpertCall): Promise<readonly Float32Array[]>
  plan(request: PlanRequest): Plan
  /** Opens channels to who may be asked for these, and to one more for each: a replica that is warm. */
  warm(tensors: readonly string[]): void
  holdersOf(tensor: string): readonly HolderView[]
  holders(): readonly HolderView[]
  stop(): void
}

/** What a node tells of itself to who asks. */
export type Holdings = {
  /** Grows with every change of `tensors`. */
  readonly version: number
  readonly account: string | null
  readonly priceUnitsPer1000Rows: bigint
  readonly score: number
  readonly openCalls: number
  /** CIDs of the tensors of experts that it answers for. */
  readonly tensors: readonly string[]
}

export type RoutingLogger = {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

/** What the caller needs from the node it lives in; network, holdings and checks of answers are given to the factory beside it. */
export type ExpertHome = {
  /** Which tensor an expert of a model is now; undefined for a model or an expert that is not known. */
  resolve(model: string, layer: number, expert: number): ExpertAddress | undefined
  /**
   * The last way: brings the experts here and computes with them, results in the order of the loads. Rejects when it cannot,
   * or has no room.
   */
  computeAtHome(request: {
    readonly model: string
    readonly layer: number
    readonly loads: readonly { readonly expert: number; readonly rows: Float32Array }[]
    readonly signal: AbortSignal
  }): Promise<readonly Float32Array[]>
}

/** What a holder needs from the node it lives in. */
export type HolderNeeds = {
  /** How the engine calls an expert by its tensor; undefined for one that is not mapped here. */
  expertOf(tensor: string): { readonly model: string; readonly name: string; readonly width: number } | undefined
  runExperts(request: {
    readonly model: string
    readonly loads: readonly { readonly name: string; readonly rows: Float32Array }[]
    readonly priority: 'answer' | 'background'
    readonly signal?: AbortSignal
  }): Promise<readonly Float32Array[]>
  /** False for a peer that owes too much for what it had: it is refused as busy. */
  mayServe?(peerId: string): boolean
  /** Called after an answer was sent: what it is to pay for. */
  onServed?(peerId: string, served: { readonly rows: number; readonly elapsedMs: number }): void
}
