import { amount, duration, hourMs, type Parameter, partsPerMillion } from './parameter.ts'

export const moneyParameters = {
  periodMs: duration(hourMs, 'time between two settlements: rewards are paid at the end of each'),
  feeUnits: amount({ thousandths: 1n }, 'BLY for an event that moves coins'),
  feeBurntPpm: partsPerMillion(10_000n, 'share of a fee that is burnt; the rest goes to the reward pool'),
  issuePerYearPpm: {
    ...partsPerMillion(100_000n, 'most BLY issued in a year, of what is in circulation'),
    max: 100_000n
  },
  quoteMs: duration(hourMs / 12n, 'how long a quote can be authorised'),
  holdMs: duration(hourMs, 'how long authorised coins are held before they go back'),
  holdKeptMs: duration(24n * hourMs, 'how long a hold that is over is still shown, and its key cannot be used again'),
  priceTolerancePpm: partsPerMillion(
    100_000n,
    'how far an authorised amount may be from the quoted one, and delivered calls above the quoted ones'
  ),
  eventKeyMs: duration(24n * hourMs, 'how long the key of an event cannot be used again by its author')
} as const satisfies Record<string, Parameter>
