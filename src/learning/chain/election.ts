import { currentSet, type Genesis, keyTextOf, type StateView } from '../../dag/index.ts'
import { countedObservations } from '../../guardian/index.ts'
import { memberOperators, operatorOf, readPool } from '../../ledger/index.ts'
import { digestOf, numberBelow } from './hashes.ts'
import { readCommit, readLearner } from './learner-records.ts'
import { chainLimits } from './limits.ts'
import { readStoredRound, type StoredRound } from './round-records.ts'
import { learningKeys, readAt, type StateReader, writeAt } from './store.ts'

/** Somebody who can be a primary in a round, with its chances as a decimal number. */
type Elector = readonly [account: string, chances: string]

/** So that a latency of some milliseconds still divides a stake in whole numbers. */
const scale = 1_000_000n

/**
 * Writes down who can be a primary in the round that opens: operators of the set, by stake over latency. The latency is
 * what others measured, never what somebody says of itself; who was not measured has the worst that was.
 */
export function writeElectors(
  state: StateView,
  genesis: Genesis,
  round: { model: string; number: number },
  nowMs: number
): void {
  const members = memberOperators(state, genesis).map(({ operator }) => ({
    operator,
    stake: readPool(state, operator)?.stakeUnits ?? 0n,
    latencyMs: latencyOf(state, genesis, operator, nowMs)
  }))
  const worstMs = Math.max(1, ...members.map(({ latencyMs }) => latencyMs ?? 1))
  const barred = readBarred(state, round.model)
  const all = members.map(({ operator, stake, latencyMs }): Elector => {
    const chances = ((stake + 1n) * scale) / BigInt(Math.max(1, latencyMs ?? worstMs))
    return [operator, (chances > 0n ? chances : 1n).toString()]
  })
  const free = all.filter(([operator]) => (barred[operator] ?? 0) < round.number)
  writeAt(state, learningKeys.electors(round.model), free.length > 0 ? free : all)
}

/** Who may give the result of a part in the round of now: the primary first, then its backups. */
export function primariesOf(state: StateReader, _genesis: Genesis, model: string, part: string): string[] {
  const round = readStoredRound(state, model)
  if (round === undefined) return []
  const electors = readAt<readonly Elector[]>(state, learningKeys.electors(model)) ?? []
  return drawn(
    electors.map(([account, chances]) => ({ account, chances: BigInt(chances) })),
    digestOf('primary', round.seed, part),
    chainLimits.electedOfPart
  )
}

/**
 * Who may sum up a region, the first first: operators of it, whose lines are made for it, then learners of it that
 * revealed. Each by lot, all with the same chance. Empty where there is nothing to gain: fewer than three deltas, or one
 * region only.
 */
export function edgeOf(state: StateReader, genesis: Genesis, model: string, region: string): string[] {
  const round = readStoredRound(state, model)
  if (round === undefined) return []
  const regions = revealsByRegion(state, round)
  const accounts = regions.get(region) ?? []
  if (regions.size < chainLimits.edgeRegions || accounts.length < chainLimits.edgeReveals) return []
  const operators = operatorsIn(state as StateView, genesis, region)
  const learners = accounts.filter(account => !operators.includes(account))
  const lot = (among: readonly string[], of: string): string[] =>
    drawn(
      [...among].sort().map(account => ({ account, chances: 1n })),
      digestOf(of, round.seed, region),
      chainLimits.electedOfRegion
    )
  return [...lot(operators, 'edge operator'), ...lot(learners, 'edge learner')].slice(0, chainLimits.electedOfRegion)
}

/** Accounts that revealed, by region. */
export function revealsByRegion(state: StateReader, round: StoredRound): Map<string, string[]> {
  const regions = new Map<string, string[]>()
  for (let place = 0; place < round.commits; place++) {
    const { account, region, reveal } = readCommit(state, round.model, place)
    if (reveal === null) continue
    const known = regions.get(region)
    if (known === undefined) regions.set(region, [account])
    else known.push(account)
  }
  return regions
}

/** Whether somebody may be asked to sum up regions at all: cheap, before the draw. */
export function mayBeEdge(state: StateView, genesis: Genesis, model: string, account: string): boolean {
  return (
    readLearner(state, model, account) !== undefined ||
    memberOperators(state, genesis).some(({ operator }) => operator === account)
  )
}

/** By account: the last round in which it is no primary. */
export function readBarred(state: StateReader, model: string): Readonly<Record<string, number>> {
  return readAt<Record<string, number>>(state, learningKeys.barred(model)) ?? {}
}

/** By lot without putting back, each by its chances. */
function drawn(
  among: { readonly account: string; readonly chances: bigint }[],
  seed: Uint8Array,
  most: number
): string[] {
  const left = [...among]
  let total = left.reduce((sum, { chances }) => sum + chances, 0n)
  const found: string[] = []
  while (left.length > 0 && found.length < most) {
    let at = numberBelow(digestOf(seed, String(found.length)), total)
    const place = left.findIndex(({ chances }) => {
      if (at < chances) return true
      at -= chances
      return false
    })
    const [chosen] = left.splice(place, 1)
    total -= chosen!.chances
    found.push(chosen!.account)
  }
  return found
}

/** Median by weight of what others measured; undefined where nobody did. */
function latencyOf(state: StateView, genesis: Genesis, operator: string, nowMs: number): number | undefined {
  const measured = countedObservations(state, genesis, operator, nowMs)
    .flatMap(({ weight, observation: { responseMs } }) => (responseMs === null ? [] : [{ weight, responseMs }]))
    .sort((one, other) => one.responseMs - other.responseMs)
  const total = measured.reduce((sum, { weight }) => sum + weight, 0)
  let below = 0
  return measured.find(({ weight }) => {
    below += weight
    return 2 * below >= total
  })?.responseMs
}

function operatorsIn(state: StateView, genesis: Genesis, region: string): string[] {
  return currentSet(state, genesis).members.flatMap(member => {
    const operator = member.region === region ? operatorOf(state, keyTextOf(member)) : undefined
    return operator === undefined ? [] : [operator]
  })
}
