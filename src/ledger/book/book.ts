import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Coin } from './coins.ts'

/** Accounts that belong to nobody: only rules move what is in them. A person's account is the text of a public key. */
export const systemAccounts = {
  /** What has not been issued yet. */
  unissued: '@unissued',
  /** What was burnt: nothing leaves it. */
  burnt: '@burnt',
  validationPool: '@validation-pool',
  rewardPool: '@reward-pool',
  treasury: '@treasury',
  /** Held between authorise and credit. */
  escrow: '@escrow',
  /** Staked, bonded or on its way out. */
  bonded: '@bonded',
  /** Earned by stake and not claimed yet. */
  earned: '@earned',
  /** Earned by experts, too little to be paid out yet. */
  owed: '@owed'
} as const

/** One side of an entry: what an account gains (above zero) or loses (below). */
export type Posting = { readonly account: string; readonly coin: Coin; readonly change: bigint }

export const balancePrefix = 'balance/'

export function balanceKey(account: string, coin: Coin): string {
  return `${balancePrefix}${account}/${coin}`
}

/** Where this entry exists nothing is taken from the account; votes write it (src/ledger/votes). */
export function frozenKey(account: string): string {
  return `frozen/${account}`
}

export function balanceOf(state: StateView, account: string, coin: Coin): bigint {
  return balanceAt(state, balanceKey(account, coin))
}

function balanceAt(state: StateView, key: string): bigint {
  const value = state.get(key)
  return typeof value === 'string' ? BigInt(value) : 0n
}

/**
 * Books one entry: for every coin what is taken equals what is given. Throws BALANCE_TOO_LOW or ACCOUNT_FROZEN, with
 * nothing booked. An entry that does not add up is a defect of the caller and throws a plain error.
 */
export function post(state: StateView, postings: readonly Posting[]): void {
  const lines = mergedLines(postings)
  requireSumOfNothing(postings)
  for (const line of lines) {
    line.balance = balanceAt(state, line.key) + line.change
    if (line.change >= 0n) continue
    if (state.get(frozenKey(line.account)) !== undefined)
      throw new BlyanError('ACCOUNT_FROZEN', { account: line.account })
    if (line.balance < 0n) {
      const balance = line.balance - line.change
      throw new BlyanError('BALANCE_TOO_LOW', { balance: balance.toString(), amount: (-line.change).toString() })
    }
  }
  for (const { key, change, balance } of lines) {
    if (change === 0n) continue
    // An account that has nothing of a coin has no entry: the state does not grow with those who left.
    if (balance > 0n) state.set(key, balance.toString())
    else state.delete(key)
  }
}

/** What an entry does to one balance. */
type Line = { readonly key: string; readonly account: string; change: bigint; balance: bigint }

/** One line for each balance, however often the entry names it. */
function mergedLines(postings: readonly Posting[]): Line[] {
  const lines: Line[] = []
  const places = new Map<string, Line>()
  for (const { account, coin, change } of postings) {
    const key = balanceKey(account, coin)
    const known = places.get(key)
    if (known !== undefined) known.change += change
    else {
      const line = { key, account, change, balance: 0n }
      lines.push(line)
      places.set(key, line)
    }
  }
  return lines
}

function requireSumOfNothing(postings: readonly Posting[]): void {
  for (const { coin } of postings) {
    const sum = postings.reduce((total, posting) => (posting.coin === coin ? total + posting.change : total), 0n)
    if (sum !== 0n) throw new Error(`an entry of ${coin} does not add up: ${sum}`)
  }
}

/** Moves an amount of zero or more from one account to another. Throws BALANCE_TOO_LOW. */
export function move(state: StateView, from: string, to: string, coin: Coin, amount: bigint): void {
  if (amount < 0n) throw new Error(`a negative amount: ${amount}`)
  if (amount === 0n || from === to) return
  post(state, [
    { account: from, coin, change: -amount },
    { account: to, coin, change: amount }
  ])
}
