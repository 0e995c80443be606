/** A vertex that comes later than this, or into a later commit than its round is open for, counts as this late. */
export const lateMsMax = 1000

/** Times of the vertices of one round, by place; null where there is none yet. */
export type OpenRound = readonly [round: number, times: readonly (number | null)[]]

/**
 * How late each vertex of a round is, by the clocks of its authors: after the earliest time by which more than a third of
 * the weight says it had signed, so that fewer cannot move it. Nothing is said of a round with less than a quorum.
 */
export function latenessOf(
  times: readonly (number | null)[],
  weights: readonly number[]
): (number | null)[] | undefined {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const faults = Math.floor((total - 1) / 3)
  const present = times
    .map((time, place) => ({ time, weight: weights[place]! }))
    .filter((one): one is { time: number; weight: number } => one.time !== null)
    .sort((one, other) => one.time - other.time)
  if (present.reduce((sum, { weight }) => sum + weight, 0) <= Math.floor((2 * total) / 3)) return undefined
  let weight = 0
  const reference = present.find(one => {
    weight += one.weight
    return weight > faults
  })!.time
  return times.map(time => (time === null ? null : Math.min(lateMsMax, Math.max(0, time - reference))))
}
