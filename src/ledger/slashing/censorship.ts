import { currentSet, keyTextOf, readEpoch } from '../../dag/index.ts'
import type { Period, RuleInput } from '../book/rule.ts'
import { numberOf } from '../parameters.ts'
import { readPool } from '../staking/index.ts'
import { forgetOmissions, type Looked, readLooked, readOmitted } from './omissions.ts'
import { punish } from './punish.ts'
import type { OmissionEvidence } from './punishments.ts'
import type { RoomToJail } from './room-to-jail.ts'

const namedMax = 16
const million = 1_000_000

/**
 * At the end of a period: of each member of whom enough vertices were looked at, whether it knowingly left another one out
 * of at least `censorshipSharePpm` of them. Whoever did is kept out and pays; all are counted anew.
 */
export function judgeCensorship(input: RuleInput, period: Period, room: RoomToJail): void {
  const { state, genesis, nowMs } = input
  const { epoch } = readEpoch(state, genesis)
  const counts = readLooked(state)
  if (counts === undefined || counts.epoch !== epoch) return
  const keys = currentSet(state, genesis).members.map(keyTextOf)
  const leastRounds = numberOf(state, genesis, 'censorshipRounds')
  const judged = counts.operators
    .map((operator, place) => ({ operator, place, evidence: evidenceOf(input, counts, place) }))
    .filter(({ evidence }) => evidence.rounds >= leastRounds)
    .sort((one, other) => shareOf(other.evidence) - shareOf(one.evidence) || one.place - other.place)
  for (const { operator, place, evidence } of judged) {
    const isCensor = evidence.leftOut.length > 0 && readPool(state, operator)?.jailedUntilMs === null
    // Without room for it the counts stay, and it is judged again when there is.
    if (isCensor && !room.take(operator)) continue
    if (isCensor)
      punish(input, {
        operator,
        key: keys[place]!,
        offence: 'censorship',
        epoch,
        offenceMs: evidence.sinceMs,
        evidence,
        period: period.number + 1
      })
    forgetOmissions(state, place, nowMs)
  }
}

function evidenceOf({ state, genesis, nowMs }: RuleInput, counts: Looked, place: number): OmissionEvidence {
  const rounds = counts.looked[place]!
  const limitPpm = numberOf(state, genesis, 'censorshipSharePpm')
  const leftOut = readOmitted(state, place)
    .map((omitted, other) => ({ operator: counts.operators[other]!, rounds: omitted }))
    .filter(({ rounds: omitted }) => omitted > 0 && omitted * million >= limitPpm * rounds)
    .sort((one, other) => other.rounds - one.rounds || (one.operator < other.operator ? -1 : 1))
    .slice(0, namedMax)
  return { kind: 'omissions', sinceMs: counts.sinceMs[place]!, untilMs: nowMs, rounds, limitPpm, leftOut }
}

function shareOf({ leftOut, rounds }: OmissionEvidence): number {
  return rounds === 0 ? 0 : Math.floor(((leftOut[0]?.rounds ?? 0) * million) / rounds)
}
