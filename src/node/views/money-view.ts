import { cidOfDigest } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import {
  balanceOf,
  balancePrefix,
  bondedStakeOf,
  bondsOf,
  type Coin,
  claimableBy,
  coins,
  entryUnits,
  eventOfKey,
  frozenKey,
  type Hold,
  type HoldStatus,
  holdPrefix,
  issuanceAt,
  readHold,
  readPool,
  supplyOf,
  systemAccounts,
  unbondingOf
} from '../../ledger/index.ts'
import type { LedgerAccess } from '../blyan-node.ts'

/** Amounts are base units, as decimal strings. */
export type Balances = Readonly<Record<Coin, string>>

export type AccountView = {
  readonly account: string
  /** Whether it is the account of this node. */
  readonly isOwn: boolean
  /** What can be spent. */
  readonly balances: Balances
  /** BLY that is bonded, on its way out of a bond, and earned and not claimed yet. */
  readonly staked: string
  readonly unbonding: string
  readonly earned: string
  /** In escrow, until it is paid out or comes back. */
  readonly held: Balances
  /** Nothing can be taken from it. */
  readonly isFrozen: boolean
}

export type HoldView = Omit<Hold, 'quotedAtMs' | 'changedAtMs' | 'dueMs'> & {
  readonly hold: string
  readonly quotedAt: string
  readonly changedAt: string
  /** When it expires, is credited by itself, or is forgotten. */
  readonly dueAt: string
}

export type SupplyView = {
  /** One for each coin. `circulating` is what people and pools have: all but what is not issued and what is burnt. */
  readonly coins: readonly {
    readonly coin: Coin
    readonly total: string
    readonly unissued: string
    readonly burnt: string
    readonly validationPool: string
    readonly rewardPool: string
    readonly treasury: string
    readonly bonded: string
    readonly earned: string
    readonly owed: string
    readonly escrow: string
    readonly accounts: string
    readonly circulating: string
  }[]
  /** BLY. `accrued` is the part of `yearMost` that the time of the year allows; `allowed` is what is left of it. */
  readonly issuance: {
    readonly year: number
    readonly since: string
    readonly circulating: string
    readonly yearMost: string
    readonly accrued: string
    readonly issued: string
    readonly allowed: string
  }
}

export type EventKeyView = { readonly account: string; readonly key: string; readonly eventId: string }

/** What a scan looks at before it gives up, and what `account` and lists look through. */
const holdsScannedMax = 10_000

export async function accountView(ledger: LedgerAccess, account: string): Promise<AccountView> {
  const { state, genesis } = ledger
  const hasEconomy = genesis.file.economy !== undefined
  const held = new Map<Coin, bigint>()
  for await (const { payer, coin, status, authorised } of holdsOf(ledger))
    if (payer === account && (status === 'authorised' || status === 'captured'))
      held.set(coin, (held.get(coin) ?? 0n) + BigInt(authorised!))
  const staked = state.get(`stake/${account}`)
  return {
    account,
    isOwn: account === ledger.account,
    balances: balancesOf(coin => balanceOf(state, account, coin)),
    staked: hasEconomy ? bondedStakeOf(state, account).toString() : typeof staked === 'string' ? staked : '0',
    unbonding: hasEconomy ? unbondingBy(ledger, account).toString() : '0',
    earned: hasEconomy ? earnedBy(ledger, account).toString() : '0',
    held: balancesOf(coin => held.get(coin) ?? 0n),
    isFrozen: state.get(frozenKey(account)) !== undefined
  }
}

/** Accounts that have coins to spend, in the order of their keys. */
export async function* listBalances(
  ledger: LedgerAccess,
  limit: number
): AsyncIterable<{ readonly account: string; readonly balances: Balances }> {
  let account: string | undefined
  let units = new Map<string, string>()
  let count = 0
  const line = (): { account: string; balances: Balances } => ({
    account: account!,
    balances: balancesOf(coin => BigInt(units.get(coin) ?? '0'))
  })
  // Each account has one entry for each coin that it has.
  for await (const [key, value] of ledger.entries(balancePrefix, (limit + 1) * coins.length)) {
    const [name, coin] = key.slice(balancePrefix.length).split('/') as [string, string]
    if (name !== account) {
      if (account !== undefined) yield line()
      if (++count > limit) return
      account = name
      units = new Map()
    }
    units.set(coin, String(value))
  }
  if (account !== undefined) yield line()
}

export function supplyView(ledger: LedgerAccess, nowMs: number): SupplyView {
  requireEconomy(ledger)
  const { state, genesis } = ledger
  const issuance = issuanceAt(state, genesis, Math.max(nowMs, genesis.timeMs))
  return {
    coins: coins.map(coin => {
      const at = (account: string): bigint => balanceOf(state, account, coin)
      const { unissued, burnt, validationPool, rewardPool, treasury, bonded, earned, owed, escrow } = systemAccounts
      const total = supplyOf(genesis, coin)
      const circulating = total - at(unissued) - at(burnt)
      const pooled = [validationPool, rewardPool, treasury, bonded, earned, owed, escrow].map(at)
      return {
        coin,
        total: total.toString(),
        unissued: at(unissued).toString(),
        burnt: at(burnt).toString(),
        validationPool: at(validationPool).toString(),
        rewardPool: at(rewardPool).toString(),
        treasury: at(treasury).toString(),
        bonded: at(bonded).toString(),
        earned: at(earned).toString(),
        owed: at(owed).toString(),
        escrow: at(escrow).toString(),
        accounts: pooled.reduce((rest, units) => rest - units, circulating).toString(),
        circulating: circulating.toString()
      }
    }),
    issuance: {
      year: issuance.year,
      since: timeText(issuance.sinceMs),
      circulating: issuance.circulatingUnits.toString(),
      yearMost: issuance.yearUnits.toString(),
      accrued: issuance.accruedUnits.toString(),
      issued: issuance.issuedUnits.toString(),
      allowed: issuance.allowedUnits.toString()
    }
  }
}

/** Throws HOLD_UNKNOWN. */
export function holdView(ledger: LedgerAccess, id: string): HoldView {
  requireEconomy(ledger)
  const hold = readHold(ledger.state, id)
  if (hold === undefined) throw new BlyanError('HOLD_UNKNOWN', { hold: id })
  return viewOf(id, hold)
}

/** Holds in the order of their ids; of one account (payer or payee) or one status where that is wanted. */
export async function* listHolds(
  ledger: LedgerAccess,
  wanted: { readonly account?: string; readonly status?: HoldStatus; readonly limit: number }
): AsyncIterable<HoldView> {
  const { account, status, limit } = wanted
  let count = 0
  for await (const hold of holdsOf(ledger)) {
    if (account !== undefined && hold.payer !== account && hold.payee !== account) continue
    if (status !== undefined && hold.status !== status) continue
    if (++count > limit) return
    yield viewOf(hold.id, hold)
  }
}

/** The event that used a key of an account. Throws EVENT_KEY_UNKNOWN. */
export function eventKeyView({ state }: LedgerAccess, account: string, key: string): EventKeyView {
  const digest = eventOfKey(state, account, key)
  if (digest === undefined) throw new BlyanError('EVENT_KEY_UNKNOWN', { key })
  return { account, key, eventId: cidOfDigest(digest).toString() }
}

async function* holdsOf({ entries }: LedgerAccess): AsyncIterable<Hold & { readonly id: string }> {
  for await (const [key, value] of entries(holdPrefix, holdsScannedMax))
    yield { ...(value as Hold), id: key.slice(holdPrefix.length) }
}

function earnedBy({ state }: LedgerAccess, account: string): bigint {
  const operators = new Set(bondsOf(state, account).map(({ operator }) => operator))
  if (readPool(state, account) !== undefined) operators.add(account)
  return [...operators].reduce((sum, operator) => {
    const { earned, commission } = claimableBy(state, account, operator)
    return sum + earned + commission
  }, 0n)
}

function unbondingBy({ state }: LedgerAccess, account: string): bigint {
  return unbondingOf(state, account).reduce((sum, entry) => sum + entryUnits(state, entry), 0n)
}

function balancesOf(unitsOf: (coin: Coin) => bigint): Balances {
  return Object.fromEntries(coins.map(coin => [coin, unitsOf(coin).toString()])) as Balances
}

function viewOf(id: string, hold: Hold): HoldView {
  const { status, payee, payer, coin, quoted, authorised, captured, service, usage, key, reason } = hold
  return {
    hold: id,
    status,
    payee,
    payer,
    coin,
    quoted,
    authorised,
    captured,
    service,
    usage,
    key,
    reason,
    quotedAt: timeText(hold.quotedAtMs),
    changedAt: timeText(hold.changedAtMs),
    dueAt: timeText(hold.dueMs)
  }
}

function requireEconomy({ genesis }: LedgerAccess): void {
  if (genesis.file.economy === undefined) throw new BlyanError('ECONOMY_NONE')
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
