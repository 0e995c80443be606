import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import type { Budget, Scale } from './budget.ts'
import type { ValidatorWork } from './formulas.ts'

/** Settlements that the state keeps; those of experts are many rows and are kept for less long. */
export const periodsKept = { validators: 64, experts: 8 } as const
const rowsOfChunk = 128
const periodKey = (number: number): string => `period/${number}`
const chunkKey = (number: number, chunk: number): string => `period/${number}/experts/${chunk}`

export type ValidatorRow = {
  readonly operator: string
  readonly work: ValidatorWork
  /** By the formula, and what of it was paid. */
  readonly rewardUnits: bigint
  readonly paidUnits: bigint
}

export type ExpertRow = {
  readonly expert: string
  readonly expertCalls: number
  readonly holder: string
  readonly calls: number
  readonly responseMsTotal: number
  readonly lastMs: number
  readonly scorePpm: number
  /** Share of the stake of the set that scored it: too little, and nothing is earned. */
  readonly scoredPpm: number
  readonly rewardUnits: bigint
  readonly paidUnits: bigint
}

/** Everything that a settlement was computed from, and what it came to. */
export type Settlement = {
  readonly number: number
  readonly sinceMs: number
  readonly untilMs: number
  readonly rounds: number
  readonly spanMs: number
  readonly terms: {
    readonly baseUnits: bigint
    readonly speedLimitMs: number
    readonly expertBaseUnits: bigint
    readonly expertScoredMinPpm: number
  }
  readonly budget: Budget
  readonly validators: readonly ValidatorRow[]
  readonly experts: readonly ExpertRow[]
}

/** Writes one settlement and forgets those that are too old. */
export function writeSettlement(state: StateView, settlement: Settlement): void {
  const { number, terms, budget, validators, experts, ...rest } = settlement
  const chunks = Math.ceil(experts.length / rowsOfChunk)
  const stored: StoredSettlement = {
    ...rest,
    baseUnits: terms.baseUnits.toString(),
    speedLimitMs: terms.speedLimitMs,
    expertBaseUnits: terms.expertBaseUnits.toString(),
    expertScoredMinPpm: terms.expertScoredMinPpm,
    dayUnits: budget.dayUnits.toString(),
    poolUnits: budget.poolUnits.toString(),
    issuedUnits: budget.issuedUnits.toString(),
    validatorScale: storedScale(budget.validators),
    expertScale: storedScale(budget.experts),
    validators: validators.map(storedValidator),
    expertChunks: chunks
  }
  forget(state, number)
  state.set(periodKey(number), stored as unknown as CanonicalValue)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const rows = experts.slice(chunk * rowsOfChunk, (chunk + 1) * rowsOfChunk)
    state.set(chunkKey(number, chunk), rows.map(storedExpert) as unknown as CanonicalValue)
  }
}

/** Undefined for a period that is not settled yet or forgotten; no experts where theirs are forgotten. */
export function readSettlement(state: StateView, number: number): Settlement | undefined {
  const stored = state.get(periodKey(number)) as StoredSettlement | undefined
  if (stored === undefined) return undefined
  const { sinceMs, untilMs, rounds, spanMs } = stored
  const experts: ExpertRow[] = []
  for (let chunk = 0; chunk < stored.expertChunks; chunk++) {
    const rows = (state.get(chunkKey(number, chunk)) as readonly StoredExpert[] | undefined) ?? []
    experts.push(...rows.map(expertOf))
  }
  return {
    number,
    sinceMs,
    untilMs,
    rounds,
    spanMs,
    terms: {
      baseUnits: BigInt(stored.baseUnits),
      speedLimitMs: stored.speedLimitMs,
      expertBaseUnits: BigInt(stored.expertBaseUnits),
      expertScoredMinPpm: stored.expertScoredMinPpm
    },
    budget: {
      dayUnits: BigInt(stored.dayUnits),
      poolUnits: BigInt(stored.poolUnits),
      issuedUnits: BigInt(stored.issuedUnits),
      validators: scaleOf(stored.validatorScale),
      experts: scaleOf(stored.expertScale)
    },
    validators: stored.validators.map(row => validatorOf(row, { rounds, spanMs })),
    experts
  }
}

type StoredScale = readonly [paid: string, wanted: string]
type StoredValidator = readonly [
  operator: string,
  committed: number,
  presentMs: number,
  lateMsTotal: number,
  roundsMeasured: number,
  wrongVotes: number,
  punishments: number,
  penaltyUnits: string,
  rewardUnits: string,
  paidUnits: string
]
type StoredExpert = readonly [
  expert: string,
  expertCalls: number,
  holder: string,
  calls: number,
  responseMsTotal: number,
  lastMs: number,
  scorePpm: number,
  scoredPpm: number,
  rewardUnits: string,
  paidUnits: string
]
type StoredSettlement = {
  readonly sinceMs: number
  readonly untilMs: number
  readonly rounds: number
  readonly spanMs: number
  readonly baseUnits: string
  readonly speedLimitMs: number
  readonly expertBaseUnits: string
  readonly expertScoredMinPpm: number
  readonly dayUnits: string
  readonly poolUnits: string
  readonly issuedUnits: string
  readonly validatorScale: StoredScale
  readonly expertScale: StoredScale
  readonly validators: readonly StoredValidator[]
  readonly expertChunks: number
}

function forget(state: StateView, number: number): void {
  const tooOld = number - periodsKept.experts
  const chunks = (state.get(periodKey(tooOld)) as StoredSettlement | undefined)?.expertChunks ?? 0
  for (let chunk = 0; chunk < chunks; chunk++) state.delete(chunkKey(tooOld, chunk))
  const gone = periodKey(number - periodsKept.validators)
  if (state.get(gone) !== undefined) state.delete(gone)
}

function storedScale({ wanted, paid }: Scale): StoredScale {
  return [paid.toString(), wanted.toString()]
}

function scaleOf([paid, wanted]: StoredScale): Scale {
  return { wanted: BigInt(wanted), paid: BigInt(paid) }
}

function storedValidator({ operator, work, rewardUnits, paidUnits }: ValidatorRow): StoredValidator {
  return [
    operator,
    work.committed,
    work.presentMs,
    work.lateMsTotal,
    work.roundsMeasured,
    work.wrongVotes,
    work.punishments,
    work.penaltyUnits.toString(),
    rewardUnits.toString(),
    paidUnits.toString()
  ]
}

function validatorOf(row: StoredValidator, whole: Pick<ValidatorWork, 'rounds' | 'spanMs'>): ValidatorRow {
  const [operator, committed, presentMs, lateMsTotal, roundsMeasured, wrongVotes, punishments, ...units] = row
  const [penaltyUnits, rewardUnits, paidUnits] = units.map(BigInt) as [bigint, bigint, bigint]
  const counts = { committed, presentMs, lateMsTotal, roundsMeasured, wrongVotes, punishments }
  return { operator, work: { ...whole, ...counts, penaltyUnits }, rewardUnits, paidUnits }
}

function storedExpert(row: ExpertRow): StoredExpert {
  return [
    row.expert,
    row.expertCalls,
    row.holder,
    row.calls,
    row.responseMsTotal,
    row.lastMs,
    row.scorePpm,
    row.scoredPpm,
    row.rewardUnits.toString(),
    row.paidUnits.toString()
  ]
}

function expertOf(row: StoredExpert): ExpertRow {
  const [expert, expertCalls, holder, calls, responseMsTotal, lastMs, scorePpm, scoredPpm, reward, paid] = row
  const counts = { expert, expertCalls, holder, calls, responseMsTotal, lastMs, scorePpm, scoredPpm }
  return { ...counts, rewardUnits: BigInt(reward), paidUnits: BigInt(paid) }
}
