import type { LearnerStatus, LearningOutcome, LearningRound, LearningStatus } from '../node/index.ts'
import { formatCoins } from './amounts.ts'
import { fields, printable, sizeText } from './output.ts'

/** Why something was refused, in words for people; codes of the protocol by what they mean. */
const reasonWords: Readonly<Record<string, string>> = {
  'no-gain': 'it makes the model no better on text that nobody trains on',
  'over-fitted': 'it helps on its own text only',
  copied: 'it is a copy of what somebody else gave',
  poisoned: 'it makes the model worse, or is far too large',
  'no-change': 'it changes nothing',
  unavailable: 'its bytes could not be fetched in time',
  lineage: 'what it says it was trained on does not hold',
  'never-revealed': 'it was committed and never revealed',
  'not-finite': 'it holds numbers that are not finite',
  invalid: 'it cannot be read',
  'too-large': 'it is larger than its limit',
  stale: 'it was made from too old a version',
  'no-quorum': 'not enough validators measured it in time',
  lapsed: 'it was not decided in time'
}

export function reasonText(reason: string): string {
  const words = reasonWords[reason]
  return words === undefined ? printable(reason) : `${reason}: ${words}`
}

/** Everything about this node's learning, a line each. */
export function learningText(status: LearningStatus, elapsedMs = 0): string {
  const { learner, round, duties, failure } = status
  const rows: [string, string | null][] = [
    ['state', stateText(status)],
    ['why', failure === null ? null : `${failure.code}: ${failure.message}; ${failure.nextStep}`],
    ['model', status.model]
  ]
  if (learner !== null) rows.push(...learnerRows(learner))
  rows.push(['round', round === null ? 'none was opened yet' : roundText(round, elapsedMs)])
  const worked = duties.aggregated + duties.replayed + duties.measured
  if (worked > 0) rows.push(['duties', dutiesText(status)])
  return fields(rows)
}

function stateText({ state, learner }: LearningStatus): string {
  if (learner === null) return state === 'off' ? 'this node does not learn' : state
  if (state === 'paused') return `paused for prompts (${secondsText(learner.pausedMs)} so far)`
  const words: Partial<Record<LearningStatus['state'], string>> = {
    reading: 'reads the texts',
    joining: 'joins the learners',
    encoding: 'makes its delta small',
    waiting: 'waits for the round'
  }
  return words[state] ?? state
}

function learnerRows(learner: LearnerStatus): [string, string | null][] {
  const { corpus, lossNats, heldOutLossNats, deltas, outcomes, trust, quotaLeft } = learner
  const heldOut = heldOutLossNats === null ? '' : `, ${heldOutLossNats.toFixed(4)} on text it never trains on`
  const last = outcomes.at(-1)
  return [
    ['texts', corpus === null ? learner.folder : `${learner.folder}: ${corpusText(corpus)}`],
    [
      'training',
      lossNats === null
        ? 'no step yet'
        : `step ${learner.step}, loss ${lossNats.toFixed(4)} nats per token${heldOut}, ${Math.round(learner.tokensPerSecond)} tokens/s on ${learner.device}`
    ],
    [
      'deltas',
      `${deltas.committed} given: ${deltas.accepted} accepted, ${deltas.refused} refused, ${deltas.pending} open; codec ${learner.codec}`
    ],
    ['last', last === undefined ? null : outcomeText(last)],
    ['traffic', `${sizeText(learner.bytesUp)} up, ${sizeText(learner.bytesDown)} down`],
    [
      'earned',
      `${formatCoins(learner.earnedUnits, 'BLY')}, ${trust}, ${quotaLeft} ${quotaLeft === 1 ? 'delta' : 'deltas'} left today`
    ]
  ]
}

export function corpusText({
  files,
  trainingBytes,
  heldOutBytes,
  skipped
}: NonNullable<LearnerStatus['corpus']>): string {
  const passed = Object.entries(skipped).filter(([, count]) => count > 0)
  const over = passed.map(([reason, count]) => `${count} ${printable(reason)}`).join(', ')
  return `${files} ${files === 1 ? 'file' : 'files'}, ${sizeText(trainingBytes)} to learn from, ${sizeText(heldOutBytes)} held out${over === '' ? '' : `; passed over: ${over}`}`
}

export function outcomeText({ round, accepted, reason, gainNano, sizeBytes, earnedUnits }: LearningOutcome): string {
  if (!accepted) return `round ${round}: refused, ${reasonText(reason)}`
  const gain = gainNano === null ? '' : `, gain ${(gainNano / 1e9).toFixed(5)} nats per token`
  return `round ${round}: accepted${gain}, ${sizeText(sizeBytes)}, earned ${formatCoins(earnedUnits, 'BLY')}`
}

export function roundText(
  { number, phase, endsInMs, learners, commits, reveals }: LearningRound,
  elapsedMs = 0
): string {
  const leftMs = Math.max(0, endsInMs - elapsedMs)
  const left = leftMs === 0 ? 'due' : `${secondsText(leftMs)} left`
  return `${number}, ${phase}, ${left}, ${learners} ${learners === 1 ? 'learner' : 'learners'}, ${commits} committed, ${reveals} revealed`
}

/** One line, for where no block can be written over. */
export function progressLine({ state, round, learner }: LearningStatus): string {
  const where = round === null ? state : `round ${round.number} ${state === 'training' ? round.phase : state}`
  if (learner === null) return where
  const { step, lossNats, tokensPerSecond, deltas, bytesUp, earnedUnits } = learner
  const loss = lossNats === null ? '' : `, loss ${lossNats.toFixed(4)}, ${Math.round(tokensPerSecond)} tokens/s`
  const left = round === null || round.endsInMs === 0 ? '' : `, ${secondsText(round.endsInMs)} left`
  return `${where}${left}: step ${step}${loss}; ${deltas.accepted} of ${deltas.committed} deltas accepted, ${sizeText(bytesUp)} up, ${formatCoins(earnedUnits, 'BLY')} earned`
}

function dutiesText({ duties }: LearningStatus): string {
  const { aggregated, replayed, challenged, measured, accepted, refused, failoverMs } = duties
  const stood = failoverMs === null ? '' : `, stood in for a primary within ${failoverMs} ms`
  return `${aggregated} aggregated, ${replayed} replayed, ${challenged} challenged, ${measured} measured (${accepted} accepted, ${refused} refused)${stood}`
}

function secondsText(ms: number): string {
  return ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`
}
