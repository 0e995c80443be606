import type { CommitSeen, StateView } from '../../dag/index.ts'
import type { Period, RuleInput } from '../book/rule.ts'

/*
 * What time means for an offence. A network that stood still was away from nobody, and the time in a header is what its
 * author says: both are taken from commits instead.
 */
const lastKey = 'slashing/last'
const standstillsKey = 'slashing/standstills'
const standstillsKept = 64
/** Periods whose last round is remembered: at the usual hour, as long as stake takes to unbond. */
const roundsKept = 512
const roundKey = (period: number): string => `slashing/round/${period % roundsKept}`
/** An idle network commits once a heartbeat; after this many without a commit it stands still. */
const heartbeatsMax = 10

type Last = readonly [timeMs: number, round: number]
type Standstill = readonly [fromMs: number, untilMs: number]

/** After each commit: notes when it was, and how long there was none before it. */
export function noteCommit({ state, genesis, nowMs }: RuleInput, { commit }: CommitSeen): void {
  const [lastMs] = lastCommit(state) ?? [nowMs]
  if (nowMs - lastMs > heartbeatsMax * genesis.parameters.heartbeatMs)
    state.set(standstillsKey, [...standstills(state), [lastMs, nowMs]].slice(-standstillsKept) as never)
  state.set(lastKey, [nowMs, commit.round])
}

/** At the end of a period: notes how far the rounds were. */
export function noteRound(state: StateView, { number, untilMs }: Period): void {
  const [, round] = lastCommit(state) ?? [0, 0]
  state.set(roundKey(number), [number, round, untilMs])
}

export function timeOfLastCommit(state: StateView): number {
  return lastCommit(state)?.[0] ?? 0
}

/** Of this time, what the network did not stand still. */
export function activeMs(state: StateView, fromMs: number, untilMs: number): number {
  return standstills(state).reduce(
    (left, [from, until]) => left - Math.max(0, Math.min(until, untilMs) - Math.max(from, fromMs)),
    Math.max(0, untilMs - fromMs)
  )
}

/**
 * When a round was, to the beginning of its period; 0 for one that is older than what is remembered, and for none. Before
 * it, no stake that has begun to leave since could have known of an offence in that round.
 */
export function timeOfRound(state: StateView, round: number | null, period: number): number {
  for (let number = period - 1; round !== null && number > 0 && number > period - roundsKept; number--) {
    const [known, reached, timeMs] = (state.get(roundKey(number)) as readonly number[] | undefined) ?? []
    if (known !== number) break
    if (reached! <= round) return timeMs!
  }
  return 0
}

function lastCommit(state: StateView): Last | undefined {
  return state.get(lastKey) as Last | undefined
}

function standstills(state: StateView): readonly Standstill[] {
  return (state.get(standstillsKey) as readonly Standstill[] | undefined) ?? []
}
