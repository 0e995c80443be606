/** One holder as the planner sees it. */
export type PlannedHolder = {
  readonly peerId: string
  /** Milliseconds for a call of no rows, there and back, and for each row. */
  readonly baseMs: number
  readonly rowMs: number
}

export type PlannedLayer = {
  /** Experts of this layer that each holder would be asked for. */
  readonly holders: readonly { readonly holder: PlannedHolder; readonly experts: number }[]
}

export type Prediction = {
  /** Null where all is computed at home: then that time is all there is. */
  readonly msPerToken: number
  readonly tokensPerSecond: number
}

/** What one layer's calls cost us beside waiting. */
const overheadMs = 0.5

/**
 * Predicts how long a token takes when some experts are elsewhere: the time at home, and for each layer the wait for
 * the slowest of the holders that this token (or its batch) happens to need. Experts are taken to be chosen evenly.
 */
export function predict(input: {
  readonly homeMsPerToken: number
  readonly expertsPerLayer: number
  readonly expertsPerToken: number
  /** Requests computed together in a step. */
  readonly batch: number
  readonly layers: readonly PlannedLayer[]
}): Prediction {
  const { homeMsPerToken, expertsPerLayer, expertsPerToken, batch, layers } = input
  let msPerToken = homeMsPerToken
  for (const { holders } of layers) {
    const parts = holders
      .filter(({ experts }) => experts > 0)
      .map(({ holder, experts }) => ({
        chance: 1 - chanceOfNone(expertsPerLayer, experts, expertsPerToken) ** batch,
        waitMs: holder.baseMs + holder.rowMs * Math.max(1, (batch * expertsPerToken * experts) / expertsPerLayer)
      }))
      .toSorted((a, b) => b.waitMs - a.waitMs)
    let slowerAreIdle = 1
    for (const { chance, waitMs } of parts) {
      msPerToken += slowerAreIdle * chance * (waitMs + overheadMs)
      slowerAreIdle *= 1 - chance
    }
  }
  return { msPerToken, tokensPerSecond: 1000 / Math.max(1e-6, msPerToken) }
}

/** That of `all` experts none of `some` is among the `chosen` ones. */
function chanceOfNone(all: number, some: number, chosen: number): number {
  let chance = 1
  for (let taken = 0; taken < chosen; taken++) chance *= Math.max(0, all - some - taken) / Math.max(1, all - taken)
  return chance
}
