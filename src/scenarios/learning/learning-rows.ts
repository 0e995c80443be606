import { type Traffic, type TrafficKind, trafficKinds } from './machines.ts'
import type { LearningResult, SimulatedRound } from './run-learning.ts'

/** What seed 004 (section 13) says of so many nodes with 4 tiles each, in megabytes a step. */
export type SeedRow = {
  readonly learners: number
  readonly trafficMegabytes: number
  readonly utilisation: number
  readonly tokensPerSecond: number
}

export const seedRows: readonly SeedRow[] = [
  { learners: 10, trafficMegabytes: 50, utilisation: 0.92, tokensPerSecond: 1200 },
  { learners: 50, trafficMegabytes: 180, utilisation: 0.89, tokensPerSecond: 5800 },
  { learners: 100, trafficMegabytes: 320, utilisation: 0.87, tokensPerSecond: 11_200 },
  { learners: 200, trafficMegabytes: 580, utilisation: 0.85, tokensPerSecond: 21_500 }
]

/** Its other table: 100 nodes with 4 tiles, once every step. */
export const seedPath = {
  learners: 100,
  rawMegabytes: 1600,
  compressedMegabytes: 80,
  wideMegabytes: 8,
  connections: 130
} as const

/** One simulated network in the seed's rows. Megabytes are of 1,000,000 bytes; a step is one inner step of all learners. */
export type LearningRow = {
  readonly learners: number
  readonly regions: number
  readonly adopted: number
  readonly rounds: number
  /** Mean of a learner in a round. */
  readonly steps: number
  /** fp32 deltas of all learners, every step: the baseline. */
  readonly rawMegabytes: number
  /** All deltas as they are sent, a round. */
  readonly deltaMegabytesOfRound: number
  /** Deltas and sums of regions on their way to primaries, between regions. */
  readonly wideUpMegabytes: number
  /** All that crosses regions: also replays, measuring, updates, events. */
  readonly wideMegabytes: number
  /** All that is sent, within regions too. */
  readonly trafficMegabytes: number
  readonly megabytesOf: Readonly<Record<TrafficKind, { readonly near: number; readonly far: number }>>
  readonly bytesUpOfLearner: number
  readonly bytesDownOfLearner: number
  readonly connections: number
  readonly primaries: number
  readonly roundSeconds: number
  /** Share of the time in which learners train. */
  readonly utilisation: number
  readonly tokensPerSecond: number
  readonly slowMs: LearningResult['slowMs']
  readonly failoverMs: number | null
  readonly refusedEvents: number
  readonly seed: SeedRow | null
}

const bytesOfMegabyte = 1_000_000

/** The first round is left out where there are others: everybody begins there, and most have not joined when it opens. */
export function learningRow(result: LearningResult): LearningRow {
  const { setting, rounds, rawBytes, deltaBytes, updateBytes } = result
  const counted = rounds.length > 1 ? rounds.slice(1) : rounds
  const mean = (read: (round: SimulatedRound) => number): number =>
    counted.reduce((sum, round) => sum + read(round), 0) / Math.max(1, counted.length)
  const steps = Math.max(
    1,
    mean(round => round.steps)
  )
  const ofStep = (bytesOf: (traffic: Traffic) => number): number =>
    mean(({ traffic }) => bytesOf(traffic)) / steps / bytesOfMegabyte
  const far = (kinds: readonly TrafficKind[]) => ofStep(traffic => sum(kinds.map(kind => traffic[kind].farBytes)))
  const near = (kinds: readonly TrafficKind[]) => ofStep(traffic => sum(kinds.map(kind => traffic[kind].nearBytes)))
  const roundMs = mean(({ openedAtMs, closedAtMs }) => closedAtMs - openedAtMs)
  const utilisation = mean(({ trainedMs }) => trainedMs) / (setting.learners * roundMs)
  return {
    learners: setting.learners,
    regions: setting.regions,
    adopted: rounds.filter(round => round.result === 'adopted').length,
    rounds: rounds.length,
    steps,
    rawMegabytes: (setting.learners * rawBytes) / bytesOfMegabyte,
    deltaMegabytesOfRound: (setting.learners * deltaBytes) / bytesOfMegabyte,
    wideUpMegabytes: far(['delta', 'region']),
    wideMegabytes: far(trafficKinds),
    trafficMegabytes: far(trafficKinds) + near(trafficKinds),
    megabytesOf: Object.fromEntries(
      trafficKinds.map(kind => [kind, { near: near([kind]), far: far([kind]) }])
    ) as unknown as LearningRow['megabytesOf'],
    bytesUpOfLearner: deltaBytes,
    bytesDownOfLearner: updateBytes,
    connections: Math.round(mean(round => round.connections)),
    primaries: Math.round(mean(round => round.primaries)),
    roundSeconds: roundMs / 1000,
    utilisation,
    tokensPerSecond: utilisation * setting.learners * setting.tokensPerSecond,
    slowMs: result.slowMs,
    failoverMs: result.failoverMs,
    refusedEvents: sum(result.events.filter(({ refusal }) => refusal !== '').map(({ count }) => count)),
    seed: setting.tiles === 4 ? (seedRows.find(({ learners }) => learners === setting.learners) ?? null) : null
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
