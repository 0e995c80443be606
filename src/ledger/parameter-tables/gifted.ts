import { amount, count, dayMs, duration, hourMs, type Parameter, partsPerMillion } from './parameter.ts'

const minuteMs = hourMs / 60n

/** A price in base units of the coin that the service is charged in. */
function price(units: bigint, purpose: string): Parameter {
  return { usual: units, min: 0n, max: 10n ** 15n, purpose }
}

export const giftedParameters = {
  giftedHeartbeatMs: duration(5n * minuteMs, 'time between two heartbeats of a gifted node'),
  giftedSilentMs: duration(15n * minuteMs, 'how long a heartbeat vouches for a gifted node'),
  giftedForgetMs: duration(7n * dayMs, 'time after which a silent gifted node is taken off the list'),
  giftedDepositUnits: amount({ coins: 100n }, 'BLY held while a gifted node is registered'),
  giftedPointUnits: {
    ...amount({ thousandths: 10n }, 'AUR that a point of a gifted node is worth in a period'),
    max: 10n ** 12n
  },
  giftedServedPpm: partsPerMillion(50_000n, 'share of what a gifted node was paid that counts as its contribution'),
  giftedPerYearPpm: {
    ...partsPerMillion(
      50_000n,
      'most of each of the four coins that gifting may cost in a year, of what is not issued'
    ),
    max: 100_000n
  },
  meterTreasuryPpm: partsPerMillion(200_000n, 'share of a metered payment that goes to the treasury'),
  meterTransactionCallUnits: price(10_000n, 'FLX base units for a metered transaction'),
  meterTransactionAmountUnits: price(1_000n, 'FLX base units for a KiB of a metered transaction'),
  meterConsensusCallUnits: price(1_000n, 'GEN base units for a metered call of consensus'),
  meterConsensusAmountUnits: price(100n, 'GEN base units for a second of computing for consensus'),
  meterStorageCallUnits: price(1_000n, 'NEX base units for a metered call of storage'),
  meterStorageAmountUnits: price(10_000n, 'NEX base units for a MiB stored for a day'),
  meterCrossBorderCallUnits: price(1_000_000n, 'AUR base units for a metered cross-border settlement'),
  meterCrossBorderAmountUnits: price(10_000n, 'AUR base units for a KiB of a cross-border settlement'),
  meterOtherCallUnits: price(10_000n, 'FLX base units for another metered call'),
  meterOtherAmountUnits: price(10_000n, 'FLX base units for a second of other computing'),
  scalingLoadPpm: { ...partsPerMillion(700_000n, 'load above which the network is to grow'), min: 1n },
  scalingCapacityEvents: count(1000n, { min: 1n, max: 1_000_000n }, 'events of a commit that are counted as full load'),
  scalingNodesMax: count(4n, { min: 0n, max: 64n }, 'most nodes that one period asks for'),
  scalingCostUnits: amount({ coins: 10n }, 'AUR value that the treasury pays at most for one new node'),
  scalingReturnMs: duration(30n * dayMs, 'time over which the return of a new node is counted'),
  giftingBonusPpm: partsPerMillion(200_000n, 'more incentives for a node that comes when gifts are asked for'),
  giftingBonusMs: duration(30n * dayMs, 'how long that bonus lasts'),
  scalingServeMs: duration(dayMs, 'how long a node must serve before it is paid for coming'),
  treasuryMinGenesisUnits: amount({ coins: 10n }, 'GEN that the treasury keeps when it pays for major growth'),
  treasuryMinNexusUnits: amount({ coins: 100n }, 'NEX that the treasury keeps when it pays for community growth'),
  treasuryMinFluxUnits: amount({ coins: 1000n }, 'FLX that the treasury keeps when it pays for operational growth'),
  treasuryMinAurumUnits: amount({ coins: 10_000n }, 'AUR that the treasury keeps when it pays for premium growth')
} as const satisfies Record<string, Parameter>
