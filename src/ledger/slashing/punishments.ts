import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'

export type OffenceKind = 'double-signing' | 'downtime' | 'invalid' | 'censorship'

/** Proof in an event: whoever wants to check it finds the bytes there. */
export type EventEvidence = {
  readonly kind: 'event'
  /** Id of the event that brought it. */
  readonly event: string
  /** SHA-256 of its payload, hex. */
  readonly digest: string
  readonly reporter: string
  /** Round of the vertices it is about; null for checkpoints. */
  readonly round: number | null
  /** What is wrong, in words. */
  readonly fault: string
}

/** Committed time in which others made commits and a validator was not seen. */
export type AbsenceEvidence = {
  readonly kind: 'absence'
  readonly sinceMs: number
  readonly awayMs: number
  /** Whole days that were paid for. */
  readonly days: number
}

/** Whose vertices were left out, by somebody who had them. */
export type OmissionEvidence = {
  readonly kind: 'omissions'
  readonly sinceMs: number
  readonly untilMs: number
  /** Vertices of the accused that were looked at. */
  readonly rounds: number
  readonly limitPpm: number
  /** The most left out first; no more than 16 are named. */
  readonly leftOut: readonly { readonly operator: string; readonly rounds: number }[]
}

export type Evidence = EventEvidence | AbsenceEvidence | OmissionEvidence

/** One offence and what it cost. */
export type Punishment = {
  readonly id: string
  readonly operator: string
  /** Consensus key that did it. */
  readonly key: string
  readonly offence: OffenceKind
  /** In which it was done, and in which it was punished. */
  readonly epoch: number
  readonly punishedInEpoch: number
  readonly timeMs: number
  readonly penaltyPpm: number
  readonly burntUnits: bigint
  /** Null for ever. */
  readonly banUntilMs: number | null
  readonly evidence: Evidence
  readonly appealUntilMs: number
  readonly isUndone: boolean
  /** What of the burnt came back from the treasury when it was undone. */
  readonly repaidUnits: bigint
}

/** Older ones are forgotten: by then they can be neither appealed nor counted. */
const punishmentsKept = 4096
/** Newest punishments of one operator that are remembered together. */
const perOperatorMax = 64
const countKey = 'slashes'
const slashPrefix = 'slash/'
const slashKey = (id: string): string => `${slashPrefix}${id}`
const operatorKey = (operator: string): string => `slashes/${operator}`

type Stored = Omit<Punishment, 'id' | 'burntUnits' | 'repaidUnits'> & {
  readonly burntUnits: string
  readonly repaidUnits: string
}

/** How many there were: the newest has this id. */
export function punishmentCount(state: StateView): number {
  return (state.get(countKey) as number | undefined) ?? 0
}

export function readPunishment(state: StateView, id: string): Punishment | undefined {
  const stored = state.get(slashKey(id)) as Stored | undefined
  if (stored === undefined) return undefined
  return { ...stored, id, burntUnits: BigInt(stored.burntUnits), repaidUnits: BigInt(stored.repaidUnits) }
}

export function writePunishment(state: StateView, { id, ...rest }: Punishment): void {
  const stored: Stored = {
    ...rest,
    burntUnits: rest.burntUnits.toString(),
    repaidUnits: rest.repaidUnits.toString()
  }
  state.set(slashKey(id), stored as unknown as CanonicalValue)
}

/** Writes a new one down under the next id. */
export function addPunishment(
  state: StateView,
  given: Omit<Punishment, 'id' | 'isUndone' | 'repaidUnits'>
): Punishment {
  const number = punishmentCount(state) + 1
  const punishment = { ...given, id: String(number), isUndone: false, repaidUnits: 0n }
  state.set(countKey, number)
  writePunishment(state, punishment)
  const ids = [...idsOf(state, given.operator), punishment.id].slice(-perOperatorMax)
  state.set(operatorKey(given.operator), ids)
  forgetOne(state, String(number - punishmentsKept))
  return punishment
}

/** Those of an operator that are remembered, the oldest first. */
export function punishmentsOf(state: StateView, operator: string): Punishment[] {
  return idsOf(state, operator)
    .map(id => readPunishment(state, id))
    .filter(punishment => punishment !== undefined)
}

function idsOf(state: StateView, operator: string): readonly string[] {
  return (state.get(operatorKey(operator)) as readonly string[] | undefined) ?? []
}

function forgetOne(state: StateView, id: string): void {
  const old = readPunishment(state, id)
  if (old === undefined) return
  state.delete(slashKey(id))
  const ids = idsOf(state, old.operator).filter(one => one !== id)
  if (ids.length > 0) state.set(operatorKey(old.operator), ids)
  else state.delete(operatorKey(old.operator))
}
