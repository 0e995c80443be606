import { count, dayMs, duration, hourMs, type Parameter } from './parameter.ts'

const secondMs = 1000n

export const continuityParameters = {
  healthResponseMs: { ...duration(2n * secondMs, 'slower answers than this make a node degraded'), min: 1n },
  healthDegradedAfterMs: duration(15n * secondMs, 'no sign of life for this long makes a node degraded'),
  healthFailedAfterMs: duration(30n * secondMs, 'no sign of life for this long makes a node failed'),
  healthSettleMs: duration(5n * secondMs, 'how long a quorum must agree on a health before it counts'),
  observationMs: { ...duration(dayMs, 'how long an observation of health counts'), min: 60n * secondMs },
  observationGapMs: duration(secondMs, 'least time between two observations by one validator of one node'),
  returnMs: duration(60n * secondMs, 'how long the owner must be healthy before it gets back what it held'),
  returnStepMs: duration(5n * secondMs, 'time between two steps of giving back'),
  degradedHolderMs: duration(10n * 60n * secondMs, 'how long an elected holder may be degraded before it is replaced'),
  dutyMs: duration(12n * hourMs, 'time between two records of the holder of a responsibility'),
  councilSeats: count(
    7n,
    { min: 1n, max: 21n },
    'most members of an emergency council; there is an odd number of them'
  ),
  councilMs: duration(30n * dayMs, 'how long an emergency council serves before another is elected')
} as const satisfies Record<string, Parameter>
