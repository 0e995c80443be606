import type { CanonicalValue } from '../../codec/index.ts'
import type { Genesis, StateView } from '../../dag/index.ts'
import { memberOperators } from '../staking/members.ts'
import { readPool } from '../staking/pool-records.ts'

/** What one operator thinks of who serves an expert. */
export type Score = { readonly expert: string; readonly holder: string; readonly scorePpm: number }

/** Scores of one operator, of the newest period in which it gave any and of the one before. */
export type Scores = { readonly period: number; readonly now: readonly Score[]; readonly before: readonly Score[] }

/** What the operators of a set think of a holder of an expert, by their stake. */
export type Quality = {
  /** The smallest score such that at least half of the stake that scored says no more; 0 where nobody scored. */
  readonly scorePpm: number
  /** Share of the stake of the set that scored. */
  readonly scoredPpm: number
}

/** Most that one operator can score in a period. */
export const scoresMax = 128
export const scorePpmMax = 1_000_000
const million = 1_000_000n
const scoresKey = (operator: string): string => `scores/${operator}`

/** What an operator said in a period, and in the one before. */
export function scoresOf(state: StateView, operator: string, period: number): Scores {
  const stored = state.get(scoresKey(operator)) as Scores | undefined
  if (stored?.period === period) return stored
  return { period, now: [], before: stored?.period === period - 1 ? stored.now : [] }
}

export function addScore(state: StateView, operator: string, period: number, score: Score): void {
  const { now, before } = scoresOf(state, operator, period)
  state.set(scoresKey(operator), { period, now: [...now, score], before } as unknown as CanonicalValue)
}

/** Which scores are asked for. */
type Asked = {
  readonly period: number
  /** Also those of the period before, where there is no newer one. */
  readonly withBefore?: boolean
  /** Of this expert only; of all unless given. */
  readonly expert?: string
}

/** What the whole set says: read once for a settlement, asked for each holder. */
export class SetOpinion {
  readonly #scores = new Map<string, { scorePpm: number; units: bigint }[]>()
  #allUnits = 0n

  constructor(state: StateView, genesis: Genesis, { period, withBefore = false, expert }: Asked) {
    for (const { operator } of memberOperators(state, genesis)) {
      const units = readPool(state, operator)?.stakeUnits ?? 0n
      this.#allUnits += units
      const { now, before } = scoresOf(state, operator, period)
      const said = new Map<string, number>()
      for (const score of withBefore ? [...before, ...now] : now)
        if (expert === undefined || score.expert === expert) said.set(pairOf(score), score.scorePpm)
      if (units > 0n) for (const [pair, scorePpm] of said) this.#add(pair, { scorePpm, units })
    }
  }

  of(expert: string, holder: string): Quality {
    const scored = this.#scores.get(pairOf({ expert, holder })) ?? []
    const scoredUnits = scored.reduce((sum, { units }) => sum + units, 0n)
    if (scoredUnits === 0n) return { scorePpm: 0, scoredPpm: 0 }
    let below = 0n
    const median = scored
      .sort((one, other) => one.scorePpm - other.scorePpm)
      .find(({ units }) => {
        below += units
        return 2n * below >= scoredUnits
      })!
    return { scorePpm: median.scorePpm, scoredPpm: Number((scoredUnits * million) / this.#allUnits) }
  }

  #add(pair: string, score: { scorePpm: number; units: bigint }): void {
    const known = this.#scores.get(pair)
    if (known === undefined) this.#scores.set(pair, [score])
    else known.push(score)
  }
}

function pairOf({ expert, holder }: Pick<Score, 'expert' | 'holder'>): string {
  return `${holder}/${expert}`
}
