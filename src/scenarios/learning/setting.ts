import type { CodecName } from '../../tiles/index.ts'

/** What is simulated: machines and links as people have them, and the rules of a network that learns. */
export type LearningSetting = {
  readonly seed: number
  readonly learners: number
  readonly regions: number
  /** Validators; their operators are primaries and backups. */
  readonly operators: number
  /** Of the model, 4 MiB each; every learner works on all of them, as in the seed's table. */
  readonly tiles: number
  readonly codec: CodecName
  readonly rounds: number
  readonly windowMs: number
  /** Middle of what learners have; theirs differ by up to twice and half. */
  readonly upMegabitsPerSecond: number
  readonly downMegabitsPerSecond: number
  readonly stepMs: number
  /** Round trips. */
  readonly nearMs: readonly [least: number, most: number]
  readonly farMs: readonly [least: number, most: number]
  /** A machine that computes for the network, per second. */
  readonly tokensPerSecond: number
  /** Learners that commit and are never seen again in that round. */
  readonly lostPpm: number
  /** Learners that come while the first round runs. */
  readonly newcomersPpm: number
  /** A round whose first primary says nothing; 0: none. */
  readonly silentRound: number
}

export const defaultSetting: LearningSetting = {
  seed: 1,
  learners: 100,
  regions: 5,
  operators: 25,
  tiles: 4,
  codec: 'lr16+k32',
  rounds: 4,
  windowMs: 300_000,
  upMegabitsPerSecond: 20,
  downMegabitsPerSecond: 100,
  stepMs: 10_000,
  nearMs: [1, 5],
  farMs: [20, 50],
  tokensPerSecond: 120,
  lostPpm: 30_000,
  newcomersPpm: 100_000,
  silentRound: 3
}

export const simulatedLearnersMax = 2000
export const simulatedRegionsMax = 25
export const simulatedTilesMax = 64
export const simulatedRoundsMax = 50

/**
 * What machines need for their part of the work, measured once on one core and rounded up (docs/performance.md); links
 * and rounds decide the rest.
 */
export const workMs = {
  encodeTile: 20,
  /** The light proof of work of a network of strangers. */
  proofOfWork: 3000,
  decodeTile: 10,
  /** Of one delta, on held-out text. */
  gateDelta: 60,
  aggregateTile: 25,
  measure: 5000,
  submit: 100
} as const

/** How often the network commits, while something happens and while all train. */
export const commitEveryMs = { busy: 250, training: 2500 } as const
