import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'

/** The entry of a frozen account (src/ledger/book/book.ts takes nothing from it): the emergencies that hold it. */
const frozenKey = (account: string): string => `frozen/${account}`

export function frozenBy(state: StateView, account: string): readonly number[] {
  return (state.get(frozenKey(account)) as readonly number[] | undefined) ?? []
}

export function freeze(state: StateView, accounts: readonly string[], proposal: number): void {
  for (const account of accounts) state.set(frozenKey(account), [...frozenBy(state, account), proposal])
}

/** An account that another emergency holds too stays frozen. */
export function thaw(state: StateView, accounts: readonly string[], proposal: number): void {
  for (const account of accounts) {
    const left = frozenBy(state, account).filter(one => one !== proposal)
    if (left.length > 0) state.set(frozenKey(account), left)
    else if (state.get(frozenKey(account)) !== undefined) state.delete(frozenKey(account))
  }
}

/** Runs `what` as if none of the accounts were frozen. When it throws, the caller undoes everything. */
export function withoutFreeze(state: StateView, accounts: readonly string[], what: () => void): void {
  const held = new Map<string, CanonicalValue>()
  for (const account of accounts) {
    const value = state.get(frozenKey(account))
    if (value === undefined) continue
    held.set(account, value)
    state.delete(frozenKey(account))
  }
  what()
  for (const [account, value] of held) state.set(frozenKey(account), value)
}
