import type { CommitSeen, Economy, Genesis, State, StateMemory, StateView } from '../dag/index.ts'
import { takeDue } from './book/agenda.ts'
import { beginBook } from './book/begin.ts'
import { requireConserved, requireConservedInFull } from './book/conservation.ts'
import type { LedgerRule, Period, RuleInput } from './book/rule.ts'
import { checkedParameter, numberOf } from './parameters.ts'

/** Of one commit, beside two for each of its events: so what events put on the agenda never piles up. */
const dueItemsMax = 512
const periodKey = 'period/now'

type PeriodNow = { readonly number: number; readonly sinceMs: number }

/** The rules of a network with an economy, in the order in which they act. Throws PARAMETER_* for what genesis says of them. */
export function createEconomy(genesis: Genesis, rules: readonly LedgerRule[]): Economy {
  for (const [name, value] of Object.entries(genesis.file.economy!.parameters)) checkedParameter(name, BigInt(value))
  return new RuledEconomy(genesis, rules)
}

/** The period that runs now. */
export function periodNow(state: StateView, genesis: Genesis): PeriodNow {
  return (state.get(periodKey) as PeriodNow | undefined) ?? { number: 1, sinceMs: genesis.timeMs }
}

class RuledEconomy implements Economy {
  readonly #genesis: Genesis
  readonly #rules: readonly LedgerRule[]
  readonly #due = new Map<string, (input: RuleInput, id: string) => void>()
  readonly #urgent: ReadonlySet<string>

  constructor(genesis: Genesis, rules: readonly LedgerRule[]) {
    this.#genesis = genesis
    this.#rules = rules
    for (const rule of rules) for (const [kind, act] of Object.entries(rule.due ?? {})) this.#due.set(kind, act)
    this.#urgent = new Set(rules.flatMap(rule => rule.urgent ?? []))
  }

  begin(state: StateView): void {
    beginBook(state, this.#genesis)
    const input = this.#inputAt(state, this.#genesis.timeMs)
    for (const rule of this.#rules) rule.begin?.(input)
  }

  afterCommit(state: StateView, seen: CommitSeen): boolean {
    const input = this.#inputAt(state, seen.commit.timestampMs)
    for (const rule of this.#rules) rule.afterCommit?.(input, seen)
    const events = seen.vertices.reduce((sum, vertex) => sum + vertex.header.eventCount, 0)
    const wasUrgent = this.#actOnDue(input, dueItemsMax + 2 * events)
    return this.#settleIfOver(input) || wasUrgent
  }

  afterCheckpoint(state: StateView, checkpoint: { readonly sequence: number; readonly digest: string }): void {
    for (const rule of this.#rules) rule.afterCheckpoint?.(state, checkpoint)
  }

  requireConserved(state: State, before: StateMemory): void {
    requireConserved(state, before)
  }

  requireConservedInFull(state: State): void {
    requireConservedInFull(state, this.#genesis)
  }

  #inputAt(state: StateView, nowMs: number): RuleInput {
    return { state, genesis: this.#genesis, nowMs }
  }

  /** Whether something was urgent. */
  #actOnDue(input: RuleInput, itemsMax: number): boolean {
    let wasUrgent = false
    for (let count = 0; count < itemsMax; count++) {
      const item = takeDue(input.state, input.nowMs)
      if (item === undefined) break
      this.#due.get(item.kind)?.(input, item.id)
      wasUrgent ||= this.#urgent.has(item.kind)
    }
    return wasUrgent
  }

  /** One settlement however long nothing was committed: who was not there has earned nothing. */
  #settleIfOver(input: RuleInput): boolean {
    const { state, genesis, nowMs } = input
    const { number, sinceMs } = periodNow(state, genesis)
    if (nowMs - sinceMs < numberOf(state, genesis, 'periodMs')) return false
    const period: Period = { number, sinceMs, untilMs: nowMs }
    for (const rule of this.#rules) rule.settle?.(input, period)
    state.set(periodKey, { number: number + 1, sinceMs: nowMs })
    return true
  }
}
