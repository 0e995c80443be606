/** What is noted at the end of every period. Amounts are whole coins; shares are parts of one. */
export const measures = {
  circulating: { unit: 'BLY', text: 'BLY in circulation' },
  issued: { unit: 'BLY', text: 'BLY issued in the period' },
  burnt: { unit: 'BLY', text: 'BLY burnt in the period' },
  feesBurnt: { unit: 'BLY', text: 'BLY of fees burnt in the period' },
  slashed: { unit: 'BLY', text: 'BLY of stake burnt in the period by punishments' },
  stakedShare: { unit: 'share', text: 'share of the circulating BLY that is bonded' },
  rewards: { unit: 'BLY', text: 'BLY that validators and stakers earned in the period' },
  rewardPerValidator: { unit: 'BLY', text: 'the same for one member of the set' },
  rewardPool: { unit: 'BLY', text: 'BLY in the reward pool' },
  validationPool: { unit: 'BLY', text: 'BLY in the validation pool' },
  treasury: { unit: 'BLY', text: 'BLY in the treasury' },
  treasuryValue: { unit: 'AUR', text: 'the four coins in the treasury, worth in AUR by their multipliers' },
  validators: { unit: 'count', text: 'members of the set' },
  jailed: { unit: 'count', text: 'operators that are jailed' },
  operatorsLeft: { unit: 'count', text: 'operators that gave up since the start' },
  profitableShare: {
    unit: 'share',
    text: 'share of the operators in the set that earned more than their machine cost'
  },
  operatorIncome: { unit: 'dollars', text: 'what an operator earned in an hour, in the middle of all' },
  stakeGini: { unit: 'share', text: 'how unequal the stake of operators is: 0 all alike, 1 one has all' },
  largestWeight: { unit: 'share', text: 'share of the votes that the largest operator has' },
  standing: { unit: 'share', text: 'share of the period in which nothing was decided, for want of a quorum' },
  price: { unit: 'dollars', text: 'price of one BLY' },
  transfers: { unit: 'count', text: 'transfers that were applied in the period' },
  charges: { unit: 'count', text: 'services that were paid in the period' },
  giftedNodes: { unit: 'count', text: 'gifted nodes that serve' },
  giftedStaying: { unit: 'share', text: 'share of all gifted nodes there ever were that still serve' },
  giftedRewards: { unit: 'AUR', text: 'what gifted nodes were paid in the period, worth in AUR' },
  scalingReturn: {
    unit: 'share',
    text: 'income of the meter for what gifted nodes were paid, since the start, less one'
  },
  votePayments: { unit: 'BLY', text: 'BLY paid for votes in the period' },
  voteBudgetUsed: { unit: 'share', text: 'share of the validation pool at the start of the period that votes cost' },
  attackerGain: { unit: 'BLY', text: 'BLY that attackers have more than they began with' }
} as const satisfies Record<string, { readonly unit: string; readonly text: string }>

export type MeasureName = keyof typeof measures
export const measureNames = Object.keys(measures) as [MeasureName, ...MeasureName[]]
export type Row = Readonly<Record<MeasureName, number>>

/** How unequal amounts are (Gini): 0 when all are alike, towards 1 when one has all. */
export function giniOf(amounts: readonly number[]): number {
  const sorted = amounts.toSorted((a, b) => a - b)
  const sum = sorted.reduce((total, amount) => total + amount, 0)
  if (sum === 0) return 0
  const ranked = sorted.reduce((total, amount, place) => total + amount * (place + 1), 0)
  return (2 * ranked) / (sorted.length * sum) - (sorted.length + 1) / sorted.length
}

export function medianOf(amounts: readonly number[]): number {
  if (amounts.length === 0) return 0
  const sorted = amounts.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
