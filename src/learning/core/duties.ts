import type { PartResult, Round } from '../chain/index.ts'

export type PartDuty = {
  readonly part: string
  /** 0: primary; from 1: backup. */
  readonly place: number
}

export type AggregationTimes = {
  /** When backups may begin, after the phase began. */
  readonly aggregateMs: number
  /** How much later each backup than the one before. */
  readonly backupMs: number
}

/** The place of an account among those who may aggregate a part, for every part it is among the first `placesMax` of. */
export function placesOf(
  parts: readonly string[],
  primariesOf: (part: string) => readonly string[],
  account: string,
  placesMax: number
): PartDuty[] {
  return parts.flatMap(part => {
    const place = primariesOf(part).indexOf(account)
    return place < 0 || place > placesMax ? [] : [{ part, place }]
  })
}

/** From when on somebody may give the result of a part. */
export function mayPostAtMs(round: Pick<Round, 'phaseAtMs'>, place: number, times: AggregationTimes): number {
  return place === 0 ? round.phaseAtMs : round.phaseAtMs + times.aggregateMs + (place - 1) * times.backupMs
}

export type DutiesNow = {
  /** Parts whose result is ours to give now. */
  readonly post: readonly PartDuty[]
  /** Parts that another gave a result of, which we compute again. */
  readonly replay: readonly string[]
}

/** What is to be done now. `replayed`: parts whose result was compared already. */
export function dutiesNow(input: {
  readonly duties: readonly PartDuty[]
  readonly round: Pick<Round, 'phaseAtMs'>
  readonly results: readonly Pick<PartResult, 'name' | 'author'>[]
  readonly account: string
  readonly replayed: ReadonlySet<string>
  readonly nowMs: number
  readonly times: AggregationTimes
}): DutiesNow {
  const authors = new Map(input.results.map(({ name, author }) => [name, author]))
  const post = input.duties.filter(
    ({ part, place }) => !authors.has(part) && input.nowMs >= mayPostAtMs(input.round, place, input.times)
  )
  const replay = input.duties.flatMap(({ part }) => {
    const author = authors.get(part)
    return author === undefined || author === input.account || input.replayed.has(part) ? [] : [part]
  })
  return { post, replay }
}
