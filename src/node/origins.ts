import { type Committee, faultsTolerated, type Validator } from '../consensus/index.ts'
import type { OriginRisk } from './status-types.ts'

/**
 * What a network loses with each origin (cloud, operator) and each region, heaviest first. Validators that name none are
 * left out: nothing is known of what they share.
 */
export function originsOf(committee: Committee): OriginRisk[] {
  return (['origin', 'region'] as const).flatMap(kind => risksOf(committee, kind))
}

/** Warnings in words, one for each group of validators that holds more than the faults tolerated. */
export function originAlarms(committee: Committee, risks: readonly OriginRisk[]): string[] {
  // Of one validator everybody knows that it can be lost.
  if (committee.validators.length === 1) return []
  const groups = new Map<string, OriginRisk[]>()
  for (const risk of risks) {
    if (!risk.exceedsFaults) continue
    // An origin and a region with the same members are one thing to lose.
    const members = JSON.stringify(risk.validators)
    groups.set(members, [...(groups.get(members) ?? []), risk])
  }
  return [...groups.values()].map(group => {
    const [{ weight, stopsFinality, stopsOrdering }] = group as [OriginRisk, ...OriginRisk[]]
    const verb = group.length === 1 ? 'holds' : 'hold'
    const names = group.map(({ kind, name }) => `${kind} "${name}"`).join(' and ')
    const holds = `${names} ${verb} ${weight} of ${committee.totalWeight} votes, more than the ${faultsTolerated(committee)} that may fail`
    if (stopsOrdering) return `${holds}: losing it stops the network`
    return stopsFinality ? `${holds}: losing it stops finality, events go on as degraded` : holds
  })
}

function risksOf(committee: Committee, kind: OriginRisk['kind']): OriginRisk[] {
  const groups = new Map<string, Validator[]>()
  for (const validator of committee.validators)
    if (validator[kind] !== '') groups.set(validator[kind], [...(groups.get(validator[kind]) ?? []), validator])
  return [...groups]
    .map(([name, validators]) => {
      const weight = validators.reduce((sum, validator) => sum + validator.weight, 0)
      return {
        kind,
        name,
        validators: validators.map(validator => validator.name),
        weight,
        stopsFinality: committee.totalWeight - weight < committee.quorumWeight,
        stopsOrdering: committee.totalWeight - weight < committee.orderingWeight,
        exceedsFaults: weight > faultsTolerated(committee)
      }
    })
    .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1))
}
