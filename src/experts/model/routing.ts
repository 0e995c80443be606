import type { ModelShape } from './architecture.ts'

/** Who computes what for T tokens: `tokens` are row numbers, `weights` what each result counts. Ascending experts. */
export type ExpertLoad = {
  readonly expert: number
  readonly tokens: Uint32Array
  readonly weights: Float64Array
}

type RoutingShape = Pick<ModelShape, 'experts' | 'expertsPerToken' | 'router'>

/**
 * Chooses the experts of every token from `logits` [T, experts]. Of equal logits the lower expert number wins, so
 * everyone with the same logits routes alike. Experts without tokens do not appear.
 */
export function routeTokens(logits: Float32Array, shape: RoutingShape): readonly ExpertLoad[] {
  const { experts } = shape
  const loads = Array.from({ length: experts }, () => ({ tokens: [] as number[], weights: [] as number[] }))
  for (let token = 0; token < logits.length / experts; token++) {
    const row = logits.subarray(token * experts, (token + 1) * experts)
    const chosen = highest(row, shape.expertsPerToken)
    const weights = weigh(row, chosen, shape)
    chosen.forEach((expert, rank) => {
      loads[expert]!.tokens.push(token)
      loads[expert]!.weights.push(weights[rank]!)
    })
  }
  return loads.flatMap(({ tokens, weights }, expert) =>
    tokens.length === 0 ? [] : [{ expert, tokens: Uint32Array.from(tokens), weights: Float64Array.from(weights) }]
  )
}

/** Copies the rows `tokens` of `rows` [T, width] into a new [N, width]. */
export function gatherRows(rows: Float32Array, tokens: Uint32Array, width: number): Float32Array {
  const gathered = new Float32Array(tokens.length * width)
  tokens.forEach((token, i) => {
    gathered.set(rows.subarray(token * width, (token + 1) * width), i * width)
  })
  return gathered
}

/** Adds an expert's `results` [N, width], each times its weight, to the rows of `target` [T, width] they belong to. */
export function addWeighted(target: Float32Array, results: Float32Array, load: ExpertLoad, width: number): void {
  load.tokens.forEach((token, i) => {
    const weight = load.weights[i]!
    for (let column = 0; column < width; column++) {
      target[token * width + column]! += weight * results[i * width + column]!
    }
  })
}

/** Adds `more` to `target`, value by value. */
export function addRows(target: Float32Array, more: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i]! += more[i]!
}

function highest(row: Float32Array, count: number): number[] {
  const chosen: number[] = []
  const isTaken = new Uint8Array(row.length)
  while (chosen.length < count) {
    let best = -1
    for (let i = 0; i < row.length; i++) {
      if (isTaken[i] === 0 && (best === -1 || row[i]! > row[best]!)) best = i
    }
    isTaken[best] = 1
    chosen.push(best)
  }
  return chosen
}

function weigh(row: Float32Array, chosen: readonly number[], { router }: RoutingShape): number[] {
  const largest = row[chosen[0]!]!
  const shares = chosen.map(expert => Math.exp(row[expert]! - largest))
  const divideBy = router.softmaxFirst && !router.normalise ? sumOfExponentials(row, largest) : sum(shares)
  return shares.map(share => share / divideBy)
}

function sumOfExponentials(row: Float32Array, largest: number): number {
  return row.reduce((total, logit) => total + Math.exp(logit - largest), 0)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
