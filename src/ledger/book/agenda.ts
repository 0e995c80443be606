import type { StateView } from '../../dag/index.ts'

/*
 * What has to happen at a time: a heap in the state, by (time, order of entry). The first is found without a look at the
 * others, so any number may wait.
 */
const countKey = 'agenda/count'
const orderKey = 'agenda/order'
const placeKey = (place: number): string => `agenda/${place}`

export type AgendaItem = {
  readonly dueMs: number
  /** Order of entry: of two that are due together the earlier is first. */
  readonly order: number
  /** Which rule is to act. */
  readonly kind: string
  /** On what. A rule looks whether it still has to: nothing is taken off before its time. */
  readonly id: string
}

/** Calls the rule of `kind` with `id` at the first commit whose time is not before `dueMs`. */
export function schedule(state: StateView, dueMs: number, kind: string, id: string): void {
  const order = numberAt(state, orderKey)
  const count = numberAt(state, countKey)
  state.set(orderKey, order + 1)
  state.set(countKey, count + 1)
  const item: AgendaItem = { dueMs, order, kind, id }
  let place = count
  while (place > 0) {
    const parent = (place - 1) >> 1
    const above = itemAt(state, parent)
    if (!isBefore(item, above)) break
    state.set(placeKey(place), above)
    place = parent
  }
  state.set(placeKey(place), item)
}

/** Takes the first item off when it is due. */
export function takeDue(state: StateView, nowMs: number): AgendaItem | undefined {
  const count = numberAt(state, countKey)
  if (count === 0) return undefined
  const first = itemAt(state, 0)
  if (first.dueMs > nowMs) return undefined
  const last = itemAt(state, count - 1)
  state.delete(placeKey(count - 1))
  state.set(countKey, count - 1)
  if (count > 1) sink(state, last, count - 1)
  return first
}

export function agendaLength(state: StateView): number {
  return numberAt(state, countKey)
}

function sink(state: StateView, item: AgendaItem, count: number): void {
  let place = 0
  for (;;) {
    const left = 2 * place + 1
    if (left >= count) break
    const right = left + 1
    const child = right < count && isBefore(itemAt(state, right), itemAt(state, left)) ? right : left
    const below = itemAt(state, child)
    if (!isBefore(below, item)) break
    state.set(placeKey(place), below)
    place = child
  }
  state.set(placeKey(place), item)
}

function isBefore(one: AgendaItem, other: AgendaItem): boolean {
  return one.dueMs === other.dueMs ? one.order < other.order : one.dueMs < other.dueMs
}

function itemAt(state: StateView, place: number): AgendaItem {
  return state.get(placeKey(place)) as AgendaItem
}

function numberAt(state: StateView, key: string): number {
  return (state.get(key) as number | undefined) ?? 0
}
