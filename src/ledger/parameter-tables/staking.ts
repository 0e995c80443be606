import { amount, basisPoints, count, dayMs, duration, type Parameter } from './parameter.ts'

export const stakingParameters = {
  unbondingMs: duration(21n * dayMs, 'time from unstaking until the coins are free'),
  selfStakeMinUnits: amount({ coins: 10_000n }, 'BLY that an operator must have bonded itself'),
  bondMinUnits: amount({ coins: 1n }, 'least BLY that can be bonded at once'),
  validatorsMax: count(100n, { min: 1n, max: 200n }, 'most validators in a set'),
  weightUnits: amount({ coins: 1000n }, 'BLY that weigh 1, where weights are by stake'),
  commissionChangePerDay: basisPoints(100n, 'most that a commission may rise in a day, in basis points')
} as const satisfies Record<string, Parameter>
