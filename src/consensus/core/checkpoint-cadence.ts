import type { ConsensusParameters } from './parameters.ts'

/** What is counted since the last checkpoint, all of it from committed data. */
export type CheckpointCadence = { readonly commits: number; readonly events: number; readonly lastTimestampMs: number }

/** Whether the commit that was just executed ends a checkpoint: the same answer at every node. */
export function isCheckpointDue(
  cadence: CheckpointCadence,
  timestampMs: number,
  parameters: ConsensusParameters
): boolean {
  if (cadence.commits >= parameters.checkpointCommitsMax) return true
  return cadence.events > 0 && timestampMs - cadence.lastTimestampMs >= parameters.checkpointIntervalMs
}
