import type { LearningStatus } from './learning-status-types.ts'

export type LearningMeasure = {
  readonly name: string
  readonly help: string
  readonly value: (of: LearningStatus) => number
}

const phases = ['training', 'revealing', 'aggregating', 'measuring', 'publishing']

/** What Prometheus is told of learning; all there from the start, zero where this node does none of it. */
export const learningMeasures: readonly LearningMeasure[] = [
  { name: 'blyan_learning_round', help: 'Round of learning', value: one => one.round?.number ?? 0 },
  {
    name: 'blyan_learning_phase',
    help: 'Phase of the round: 1 training, 2 revealing, 3 aggregating, 4 measuring, 5 publishing, 0 none',
    value: one => phases.indexOf(one.round?.phase ?? '') + 1
  },
  { name: 'blyan_learning_learners', help: 'Learners when the round opened', value: one => one.round?.learners ?? 0 },
  { name: 'blyan_learning_running', help: 'Whether this node learns', value: one => Number(one.learner !== null) },
  {
    name: 'blyan_learning_failed',
    help: 'Whether learning ended in a failure',
    value: one => Number(one.failure !== null)
  },
  { name: 'blyan_learning_steps_total', help: 'Steps trained here', value: one => one.learner?.step ?? 0 },
  { name: 'blyan_learning_tokens_total', help: 'Tokens trained on here', value: one => one.learner?.tokens ?? 0 },
  {
    name: 'blyan_learning_tokens_per_second',
    help: 'Speed of training here, prompts left out',
    value: one => one.learner?.tokensPerSecond ?? 0
  },
  { name: 'blyan_learning_loss_nats', help: 'Loss of the newest step', value: one => one.learner?.lossNats ?? 0 },
  {
    name: 'blyan_learning_held_out_loss_nats',
    help: "Loss of the newest version on this node's own held-out text",
    value: one => one.learner?.heldOutLossNats ?? 0
  },
  {
    name: 'blyan_learning_paused_seconds_total',
    help: 'Time given to prompts while training',
    value: one => (one.learner?.pausedMs ?? 0) / 1000
  },
  {
    name: 'blyan_learning_deltas_committed_total',
    help: 'Deltas committed by this node',
    value: one => one.learner?.deltas.committed ?? 0
  },
  {
    name: 'blyan_learning_deltas_accepted_total',
    help: 'Of these, that counted',
    value: one => one.learner?.deltas.accepted ?? 0
  },
  {
    name: 'blyan_learning_deltas_refused_total',
    help: 'Of these, that did not count',
    value: one => one.learner?.deltas.refused ?? 0
  },
  { name: 'blyan_learning_bytes_up_total', help: 'Bytes of deltas offered', value: one => one.learner?.bytesUp ?? 0 },
  {
    name: 'blyan_learning_bytes_down_total',
    help: 'Bytes of new versions taken in',
    value: one => one.learner?.bytesDown ?? 0
  },
  { name: 'blyan_learning_quota_left', help: 'Commits left today', value: one => one.learner?.quotaLeft ?? 0 },
  {
    name: 'blyan_learning_parts_aggregated_total',
    help: 'Results this node gave as primary or backup',
    value: one => one.duties.aggregated
  },
  {
    name: 'blyan_learning_parts_replayed_total',
    help: 'Results of others this node computed again',
    value: one => one.duties.replayed
  },
  {
    name: 'blyan_learning_parts_challenged_total',
    help: 'Of these, that were other bytes',
    value: one => one.duties.challenged
  },
  {
    name: 'blyan_learning_candidates_measured_total',
    help: 'Candidates this node measured',
    value: one => one.duties.measured
  },
  {
    name: 'blyan_learning_candidates_accepted_total',
    help: 'Of these, that it found better',
    value: one => one.duties.accepted
  }
]
