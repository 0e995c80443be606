import { coins, count, duration, plural, size } from './format.js'

/** What learning is said to be in words. Pure. */
const stateWords = {
  off: 'This node does not learn',
  reading: 'Reading the texts',
  joining: 'Joining the learners',
  training: 'Training',
  encoding: 'Making the delta small',
  waiting: 'Waiting for the round',
  paused: 'Paused: a prompt is being answered',
  stopping: 'Stopping',
  failed: 'Learning failed'
}

const reasonWords = {
  'no-gain': 'no better on text that nobody trains on',
  'over-fitted': 'helps on its own text only',
  copied: 'a copy of what somebody else gave',
  poisoned: 'makes the model worse, or is far too large',
  'no-change': 'changes nothing',
  unavailable: 'could not be fetched in time',
  lineage: 'what it was trained on does not hold'
}

/** @returns {{ headline: string, tone: 'good' | 'warn' | 'bad' | 'none' }} */
export function learningWords({ state, failure }) {
  const headline = stateWords[state] ?? state
  if (state === 'failed')
    return { headline: failure === null ? headline : `${headline}: ${failure.message}`, tone: 'bad' }
  if (state === 'off') return { headline, tone: 'none' }
  return { headline, tone: state === 'paused' || state === 'stopping' ? 'warn' : 'good' }
}

export function reasonText(reason) {
  return reason === 'none' ? '' : (reasonWords[reason] ?? reason)
}

export function roundFacts(round) {
  if (round === null) return [['Number', 'none was opened yet']]
  return [
    ['Number', count(round.number)],
    ['Phase', round.phase],
    ['Time left', round.endsInMs === 0 ? 'due' : duration(round.endsInMs)],
    ['Learners', count(round.learners)],
    ['Committed', `${count(round.commits)}, ${count(round.reveals)} revealed`]
  ]
}

export function learnerFacts(learner) {
  const { corpus, lossNats, heldOutLossNats, deltas } = learner
  return [
    [
      'Texts',
      corpus === null
        ? learner.folder
        : `${plural(corpus.files, 'file')}, ${size(corpus.trainingBytes)} to learn from, ${size(corpus.heldOutBytes)} held out`
    ],
    [
      'Loss',
      lossNats === null ? 'no step yet' : `${lossNats.toFixed(4)} nats per token at step ${count(learner.step)}`
    ],
    ['Held-out loss', heldOutLossNats === null ? 'not measured yet' : `${heldOutLossNats.toFixed(4)} nats per token`],
    ['Speed', `${count(learner.tokensPerSecond)} tokens/s on ${learner.device}`],
    [
      'Deltas',
      `${count(deltas.committed)} given: ${count(deltas.accepted)} accepted, ${count(deltas.refused)} refused`
    ],
    ['Traffic', `${size(learner.bytesUp)} up, ${size(learner.bytesDown)} down`],
    ['Earned', `${coins(learner.earnedUnits)} BLY`],
    ['Trust', `${learner.trust}, ${plural(learner.quotaLeft, 'delta')} left today`]
  ]
}

export function dutyFacts(duties) {
  return [
    ['Aggregated', count(duties.aggregated)],
    ['Replayed', count(duties.replayed)],
    ['Challenged', count(duties.challenged)],
    ['Measured', `${count(duties.measured)}: ${count(duties.accepted)} accepted, ${count(duties.refused)} refused`],
    ['Stood in', duties.failoverMs === null ? 'never' : `within ${duration(duties.failoverMs)}`]
  ]
}

export function outcomeText({ round, accepted, reason, gainNano, sizeBytes, earnedUnits }) {
  if (!accepted) return `Round ${round}: refused, ${reasonText(reason)}`
  const gain = gainNano === null ? '' : `, gain ${(gainNano / 1e9).toFixed(5)} nats per token`
  return `Round ${round}: accepted${gain}, ${size(sizeBytes)}, earned ${coins(earnedUnits)} BLY`
}

/** Loss of a candidate, before and after; empty where nobody measured it yet. */
export function lossText({ beforeNano, afterNano }) {
  if (beforeNano === null || afterNano === null) return ''
  return `${(beforeNano / 1e9).toFixed(4)} → ${(afterNano / 1e9).toFixed(4)}`
}
