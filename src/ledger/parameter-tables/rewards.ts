import { amount, duration, type Parameter, partsPerMillion } from './parameter.ts'

export const rewardParameters = {
  rewardBaseUnits: amount(
    { coins: 1000n },
    'BLY that a validator earns in a period at full participation, before bonuses'
  ),
  expertBaseUnits: amount({ coins: 10n }, 'BLY that the holder of an expert earns in a period, before its factors'),
  speedLimitMs: { ...duration(100n, 'signing faster than this on average earns the speed bonus'), min: 1n },
  rewardDayUnits: amount({ coins: 100_000n }, 'most BLY paid as rewards in a day; each period has its part of it'),
  expertBudgetPpm: partsPerMillion(
    250_000n,
    'share of what a period can pay that experts get at most while validators have earned the rest'
  ),
  expertScoredMinPpm: partsPerMillion(
    333_334n,
    'share of the stake of the set that must have scored who serves an expert before its use is rewarded'
  ),
  callPriceMinUnits: amount({ thousandths: 1n }, 'BLY paid for a call of an expert for which the call counts'),
  payoutMinUnits: amount({ coins: 10n }, 'least BLY paid to the holder of an expert at once; less waits, a day at most')
} as const satisfies Record<string, Parameter>
