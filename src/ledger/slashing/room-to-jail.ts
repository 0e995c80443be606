import { committeeOfSet, currentSet, type Genesis, type StateView } from '../../dag/index.ts'
import { memberOperators, readPool } from '../staking/index.ts'

/**
 * How much weight of the set of now may still be kept out because of what was counted, not proven: those who are left
 * must be a quorum of it. So a mistake in counting, or a fault that many have at once, never decides who the network is.
 */
export class RoomToJail {
  readonly #weights: ReadonlyMap<string, number>
  #left: number

  constructor(state: StateView, genesis: Genesis) {
    const members = memberOperators(state, genesis)
    const { totalWeight, quorumWeight } = committeeOfSet(currentSet(state, genesis), 'none')
    this.#weights = new Map(members.map(({ operator, weight }) => [operator, weight]))
    this.#left = members
      .filter(({ operator }) => (readPool(state, operator)?.jailedUntilMs ?? null) !== null)
      .reduce((left, { weight }) => left - weight, totalWeight - quorumWeight)
  }

  /** Takes the room for one member; false when there is none for it. */
  take(operator: string): boolean {
    const weight = this.#weights.get(operator) ?? 0
    if (weight > this.#left) return false
    this.#left -= weight
    return true
  }
}
