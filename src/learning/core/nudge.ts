import type { Round } from '../chain/index.ts'

/** How much later each than the one before asks for what is due. */
export const nudgeTurnMs = 300
/** Long after backups could act, parts without a result stay as they are. */
const resultsGivenUpMs = 30_000

/**
 * Whether a round waits for nothing but a commit: its phase is due and time alone ends it. A window in which nobody
 * committed goes on, and results come from primaries and backups. `turn`: place of this node among those who ask.
 */
export function mustNudge(round: Pick<Round, 'phase' | 'dueAtMs' | 'commits'>, nowMs: number, turn: number): boolean {
  if (round.phase === 'training' && round.commits === 0) return false
  const dueAtMs = round.phase === 'aggregating' ? round.dueAtMs + resultsGivenUpMs : round.dueAtMs
  return nowMs > dueAtMs + turn * nudgeTurnMs
}
