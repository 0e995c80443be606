import { BlyanError } from '../../errors/index.ts'
import {
  aurumValue,
  balanceOf,
  type GiftedNode,
  type GiftedPayment,
  type GiftingPeriod,
  giftedNodes,
  giftedPayment,
  giftingPeriod,
  growthNames,
  type Impacts,
  isMetered,
  type MeterCoin,
  type MeteredKind,
  meterCoins,
  openOffer,
  parameterOf,
  periodNow,
  quoteOf,
  readGifted,
  type ScalingPeriod,
  scalingPeriod,
  systemAccounts,
  tariffs
} from '../../ledger/index.ts'
import type { LedgerAccess } from '../blyan-node.ts'

export type GiftedLine = {
  readonly account: string
  readonly name: string
  readonly peerId: string
  readonly specialisation: string
  readonly giftedBy: GiftedNode['giftedBy']
  readonly isActive: boolean
  readonly isOwn: boolean
  readonly uptimePpm: number
  readonly sharePpm: number
  readonly heartbeat: string
}

export type GiftedView = Omit<
  GiftedNode,
  'registeredAtMs' | 'heartbeatMs' | 'vouchedUntilMs' | 'watchMs' | 'countedUntilMs' | 'vouchedMs'
> & {
  readonly isOwn: boolean
  readonly registered: string
  readonly heartbeat: string
  /** What it was paid for the last period, with every number that it comes from; null before the first. */
  readonly payment: GiftedPayment | null
  /** Prices of that period. */
  readonly period: GiftingPeriod | null
}

export type TariffView = {
  readonly service: MeteredKind
  readonly coin: MeterCoin
  readonly callUnits: string
  readonly amountUnits: string
  readonly amountOf: string
}

export type QuoteView = {
  readonly service: MeteredKind
  readonly calls: number
  readonly amount: number
  readonly amountOf: string
  readonly coin: MeterCoin
  readonly units: string
  readonly aurumUnits: string
  readonly treasuryPpm: number
}

export type TreasuryView = {
  readonly coins: readonly {
    readonly coin: MeterCoin
    readonly growth: string
    readonly balance: string
    readonly minimum: string
    /** Nodes that the next to come can still be paid, or given more, for. */
    readonly openPlaces: number
  }[]
  readonly bly: string
  /** The last decision; null before the first period is over. */
  readonly scaling: ScalingPeriod | null
  readonly gifting: {
    readonly period: GiftingPeriod
    /** In AUR base units: what all nodes were paid, and what the treasury got by the meter. It pays nothing for gifts. */
    readonly paidAurumUnits: string
    readonly incomeAurumUnits: string
    readonly treasuryCostUnits: '0'
    /** Income over what was paid, in parts per million; null when nothing was paid. */
    readonly incomePerPaidPpm: string | null
  } | null
}

const million = 1_000_000n

/** All gifted nodes, at most 512. */
export function listGifted(ledger: LedgerAccess): GiftedLine[] {
  return giftedNodes(ledger.state).map(node => ({
    account: node.account,
    name: node.name,
    peerId: node.peerId,
    specialisation: node.specialisation,
    giftedBy: node.giftedBy,
    isActive: node.isActive,
    isOwn: node.account === ledger.account,
    uptimePpm: node.uptimePpm,
    sharePpm: node.sharePpm,
    heartbeat: timeOf(node.heartbeatMs)
  }))
}

/** Throws GIFTED_UNKNOWN. */
export function giftedView(ledger: LedgerAccess, account: string): GiftedView {
  const { state } = ledger
  const found = readGifted(state, account)
  if (found === undefined) throw new BlyanError('GIFTED_UNKNOWN', { account })
  const {
    registeredAtMs,
    heartbeatMs,
    vouchedUntilMs: _,
    watchMs: _w,
    countedUntilMs: _c,
    vouchedMs: _v,
    ...node
  } = found
  const payment = giftedPayment(state, account) ?? null
  return {
    ...node,
    isOwn: account === ledger.account,
    registered: timeOf(registeredAtMs),
    heartbeat: timeOf(heartbeatMs),
    payment,
    period: (payment === null ? undefined : giftingPeriod(state, payment.period)) ?? null
  }
}

export function meterPrices({ state, genesis }: LedgerAccess): TariffView[] {
  return Object.entries(tariffs).map(([service, { coin, callPrice, amountPrice, amountOf }]) => ({
    service: service as MeteredKind,
    coin,
    callUnits: parameterOf(state, genesis, callPrice).toString(),
    amountUnits: parameterOf(state, genesis, amountPrice).toString(),
    amountOf
  }))
}

/** Throws METER_SERVICE_UNKNOWN. */
export function meterQuote(
  { state, genesis }: LedgerAccess,
  { service, calls, amount }: { readonly service: string; readonly calls: number; readonly amount: number }
): QuoteView {
  if (!isMetered(service))
    throw new BlyanError('METER_SERVICE_UNKNOWN', { service, known: Object.keys(tariffs).join(', ') })
  const { coin, units, aurumUnits } = quoteOf(state, genesis, service, { calls, amount })
  return {
    service,
    calls,
    amount,
    amountOf: tariffs[service].amountOf,
    coin,
    units: units.toString(),
    aurumUnits: aurumUnits.toString(),
    treasuryPpm: Number(parameterOf(state, genesis, 'meterTreasuryPpm'))
  }
}

export function treasuryView({ state, genesis }: LedgerAccess): TreasuryView {
  const { treasury } = systemAccounts
  const last = periodNow(state, genesis).number - 1
  const scaling = scalingPeriod(state, last) ?? null
  const gifting = giftingPeriod(state, last)
  const minimum = {
    GEN: 'treasuryMinGenesisUnits',
    NEX: 'treasuryMinNexusUnits',
    FLX: 'treasuryMinFluxUnits',
    AUR: 'treasuryMinAurumUnits'
  } as const
  return {
    coins: meterCoins.map(coin => ({
      coin,
      growth: growthNames[coin],
      balance: balanceOf(state, treasury, coin).toString(),
      minimum: parameterOf(state, genesis, minimum[coin]).toString(),
      openPlaces: openOffer(state, coin)?.left ?? 0
    })),
    bly: balanceOf(state, treasury, 'BLY').toString(),
    scaling,
    gifting: gifting === undefined || scaling === null ? null : giftingReturn(gifting, scaling)
  }
}

/** Gifts cost the treasury nothing, and a ratio to nothing says nothing: what came in is set against what was issued. */
function giftingReturn(period: GiftingPeriod, { income }: ScalingPeriod): NonNullable<TreasuryView['gifting']> {
  const paid = aurumValue(unitsOf(period.paid))
  const earned = aurumValue(unitsOf(income))
  return {
    period,
    paidAurumUnits: paid.toString(),
    incomeAurumUnits: earned.toString(),
    treasuryCostUnits: '0',
    incomePerPaidPpm: paid === 0n ? null : ((earned * million) / paid).toString()
  }
}

function unitsOf(texts: Impacts<string>): Impacts<bigint> {
  return { GEN: BigInt(texts.GEN), NEX: BigInt(texts.NEX), FLX: BigInt(texts.FLX), AUR: BigInt(texts.AUR) }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
