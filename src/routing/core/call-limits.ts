/** How patient a caller is. Source: the seed's section on failover and docs/design.md, "When a holder fails". */
export const callLimits = Object.freeze({
  /** A holder with an open call says at least this often that it is there. */
  heartbeatMs: 100,
  /** Silent for this long: suspect, somebody else is asked at once. */
  idleMs: 400,
  hedgeMsMin: 15,
  hedgeMsMax: 400,
  deadlineMsMin: 250,
  /** Beyond it only where so many rows are expected to take so long. */
  deadlineMsMax: 1000,
  /** So many first calls of a holder have all the time there is. */
  coldCalls: 3,
  /** Calls that may be asked twice for each call that was made, and how many may be saved up. */
  hedgesPerCall: 0.1,
  hedgesSavedMax: 8,
  /** A holder that is busy is asked again after this long, doubling. */
  busyMs: 50,
  busyMsMax: 800,
  /** Who was busy more often is not waited for. */
  busyTimesMax: 4,
  /** The whole call, all attempts together. */
  callMsMax: 30_000,
  /** The same while experts are on their way home. */
  homeMsMax: 120_000
})

export type Patience = {
  /** After this long another holder is asked too. */
  readonly hedgeMs: number
  /** After this long the call counts as failed. */
  readonly deadlineMs: number
}

export function patienceFor(expectedMs: number, slowMs: number): Patience {
  const { hedgeMsMin, hedgeMsMax, deadlineMsMin, deadlineMsMax } = callLimits
  const cap = Math.max(deadlineMsMax, 2 * expectedMs)
  return {
    hedgeMs: Math.min(Math.max(slowMs, hedgeMsMin), Math.max(hedgeMsMax, expectedMs)),
    deadlineMs: Math.min(Math.max(deadlineMsMin, 4 * slowMs), cap)
  }
}
