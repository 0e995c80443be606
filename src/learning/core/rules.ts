/** What all nodes do alike in a round beside what genesis says: no node may choose these for itself. */
export const roundRules = {
  /** Sequences that a delta is tried on before it counts, drawn after all were revealed. */
  gateSequences: 32,
  gateTokensMax: 128,
  /** Of all deltas that one operator has open at a time. */
  gateBytesMax: 2 * 1024 ** 3,
  /** Standard errors a delta may be worse by before it is refused. */
  gateDeviations: 2,
  /** Worse by more than this share of the loss is no bad luck: it counts against its author. */
  harmShare: 0.05,
  /** Of what the best delta of a round surely gains: who cannot have gained so much does not count in it. */
  gainShareMin: 1 / 32,
  /**
   * The later one of two deltas with this cosine over all their parts is a copy, scaled or encoded anew. Honest ones came to
   * 0.96 with text of the same kind in the first round, and less in each that followed.
   */
  copyCosine: 0.99,
  /** Versions a delta may be behind. */
  lagMax: 3,
  /** Backups that compute along; those after them only where one of these is silent too, or differs. */
  backupsThatReplay: 2
} as const

const million = 1_000_000

/** What a delta counts that starts from a version `lag` rounds old: 1 / (1 + lag), in millionths. */
export function weightPpmOf(lag: number): number {
  return Math.floor(million / (1 + lag))
}

/** Tokens of a sequence that deltas and candidates are tried on. */
export function gateTokensOf(architecture: { readonly contextTokens: number }): number {
  return Math.min(roundRules.gateTokensMax, architecture.contextTokens - 1)
}
