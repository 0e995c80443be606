import { type ConsensusParameters, defaultParameters } from '../../src/consensus/index.ts'
import { strategies } from './liar-strategies.ts'
import type { Random } from './random.ts'

/** One direction between two nodes: usually `fromMs` to `toMs`, now and then as long as `tailMs`. */
export type Link = {
  readonly fromMs: number
  readonly toMs: number
  readonly tailChance: number
  readonly tailMs: number
}
export type DiskSpeed = { readonly usualMs: number; readonly stallChance: number; readonly stallMs: number }
export type Clock = { readonly offsetMs: number; readonly rate: number }
export type LiarPlan = { readonly node: number; readonly strategies: readonly string[]; readonly zeal: number }

/** Everything that the seed decides before a run begins. Times of 0 mean never. */
export type Plan = {
  readonly weights: readonly number[]
  readonly followers: number
  /** Nodes that are no members at first and may join. */
  readonly spares: number
  readonly degraded: 'none' | 'crash'
  readonly parameters: ConsensusParameters
  readonly isShrunk: boolean
  readonly links: readonly (readonly Link[])[]
  readonly isInOrder: boolean
  readonly loss: number
  readonly duplication: number
  readonly replay: number
  readonly noticeMs: number
  readonly clocks: readonly Clock[]
  readonly clockJumpEveryMs: number
  readonly disks: readonly DiskSpeed[]
  readonly crashEveryMs: number
  /** Share of the crashes that come at a write, not at a time. */
  readonly crashAtWriteShare: number
  /** Whether more nodes may be down at once than the quorum survives. */
  readonly isCrashUnbounded: boolean
  readonly powerCutShare: number
  readonly partitionEveryMs: number
  readonly pauseEveryMs: number
  readonly damageEveryMs: number
  /** Nodes whose store may be rolled back or lost; with the liars never more than the quorum survives. */
  readonly damageable: readonly number[]
  readonly damages: readonly ('rollback' | 'loss' | 'amnesia')[]
  readonly liars: readonly LiarPlan[]
  readonly setChanges: number
  readonly snapshotEveryCheckpoints: number
  readonly isPruning: boolean
  readonly faultsUntilMs: number
  readonly events: number
  readonly chainedAuthors: number
  readonly bursts: number
}

/** What a test fixes before the rest is drawn. */
export type PlanWishes = {
  readonly validators?: number
  readonly followers?: number
  readonly degraded?: 'none' | 'crash'
  /** Nothing fails and nobody lies. */
  readonly isFaultless?: boolean
  readonly liars?: number
  readonly strategies?: readonly string[]
  readonly setChanges?: number
  readonly snapshotEveryCheckpoints?: number
}

export function drawPlan(random: Random, wishes: PlanWishes = {}): Plan {
  const degraded = wishes.degraded ?? (wishes.validators === undefined && random.chance(0.05) ? 'crash' : 'none')
  const usualCount = random.chance(0.02) ? random.integer(11, 13) : random.pick([4, 4, 4, 5, 5, 6, 7, 7, 8, 9, 10])
  const validators = wishes.validators ?? (degraded === 'crash' ? 3 : usualCount)
  const isWeighted = validators >= 4 && random.chance(0.2)
  const weights = Array.from({ length: validators }, () => (isWeighted ? random.integer(1, 3) : 1))
  const isFaultless = wishes.isFaultless === true
  const setChanges = wishes.setChanges ?? (validators >= 4 && random.chance(0.3) ? random.integer(1, 6) : 0)
  const followers = wishes.followers ?? random.integer(0, 2)
  const spares = setChanges > 0 ? random.integer(0, 2) : 0
  const nodes = validators + followers + spares
  const isShrunk = random.chance(0.85)
  const links = drawLinks(random, nodes)
  const drawn = {
    ...defaultParameters,
    suspendedVerticesMax: 192,
    ...(isShrunk ? drawShrunk(random) : {}),
    ...drawPace(random)
  }
  // Who gives up before any answer can be there never learns anything.
  const slowestMs = Math.max(...links.flat().map(link => link.toMs))
  // The two that go on make commits for as long as the third is missing: it has to be faster than they are.
  if (degraded === 'crash') Object.assign(drawn, { refsPerFetchMax: 16, requestsPerPeerMax: 4 })
  const parameters = { ...drawn, fetchTimeoutMs: Math.max(drawn.fetchTimeoutMs, 3 * slowestMs) }
  const faulty = drawFaulty(random, weights)
  const liarsCount = isFaultless || degraded === 'crash' ? 0 : wishes.liars
  const liars = drawLiars(random, faulty, liarsCount, degraded === 'crash' || isFaultless, wishes.strategies)
  const damageable = degraded === 'crash' ? [] : faulty.slice(liars.length)
  const often = (list: readonly number[]): number => (isFaultless ? 0 : random.pick(list))
  return {
    weights,
    followers,
    spares,
    degraded,
    parameters,
    isShrunk,
    links,
    isInOrder: random.chance(0.4),
    loss: often([0, 0, 0, 0.01, 0.05, 0.15]),
    duplication: often([0, 0, 0.02, 0.1]),
    replay: often([0, 0, 0.01]),
    noticeMs: random.pick([300, 1500, 1_000_000]),
    clocks: Array.from({ length: nodes }, () => ({
      offsetMs: random.chance(0.1) ? random.integer(-900_000, 900_000) : random.integer(-2000, 2000),
      rate: random.chance(0.3) ? random.between(0.9, 1.1) : 1
    })),
    clockJumpEveryMs: often([0, 0, 2000]),
    disks: Array.from({ length: nodes }, () => ({
      usualMs: random.chance(0.1) ? 25 : random.between(0.2, 3),
      stallChance: random.chance(0.2) ? 0.01 : 0,
      stallMs: random.between(50, 800)
    })),
    crashEveryMs: often([0, 300, 1000, 3000]),
    crashAtWriteShare: random.pick([0, 0.5, 1]),
    isCrashUnbounded: random.chance(0.25),
    powerCutShare: random.pick([0, 0.5, 1]),
    partitionEveryMs: often([0, 0, 800, 2500]),
    pauseEveryMs: often([0, 0, 1000, 4000]),
    damageEveryMs: damageable.length === 0 ? 0 : often([0, 0, 700, 2500]),
    damageable,
    damages: random.pick([['rollback'], ['loss'], ['rollback', 'loss'], ['rollback', 'loss', 'amnesia'], ['amnesia']]),
    liars,
    setChanges,
    snapshotEveryCheckpoints: wishes.snapshotEveryCheckpoints ?? (random.chance(0.4) ? random.integer(1, 4) : 0),
    isPruning: random.chance(0.5),
    faultsUntilMs: random.pick([800, 1500, 3000, 5000]),
    events: random.chance(0.1) ? random.integer(80, 200) : random.integer(5, 60),
    chainedAuthors: random.integer(0, 3),
    bursts: random.integer(1, 6)
  }
}

/** Limits so small that garbage collection, catching up and back-pressure happen all the time. */
function drawShrunk(random: Random): Partial<ConsensusParameters> {
  const gcDepthRounds = random.integer(5, 8)
  // Fewer commits than it takes to certify a checkpoint would make checkpoints of checkpoints for ever.
  const checkpointCommitsMax = random.integer(6, 8)
  return {
    gcDepthRounds,
    syncLagRounds: random.integer(3, gcDepthRounds),
    checkpointCommitsMax,
    checkpointIntervalMs: random.integer(20, 200),
    // As far as order may run ahead of certificates, and no further.
    commitsPerSyncMax: 3 * checkpointCommitsMax + 16 + random.integer(0, 2),
    eventsPerVertexMax: random.integer(1, 4),
    refsPerFetchMax: 4,
    requestsPerPeerMax: random.integer(1, 4),
    fetchTimeoutMs: random.pick([200, 600, 2000]),
    suspendedVerticesMax: random.pick([32, 64]),
    roundsAheadMax: 3 * checkpointCommitsMax + random.pick([32, 48]),
    mempoolEventsMax: random.pick([30, 100]),
    unexecutedCommitsMax: random.pick([2, 8, 64]),
    presenceCommits: random.integer(8, 16),
    epochNoticeCommits: random.integer(4, 10),
    epochMs: random.pick([300, 1000]),
    stateSyncCommits: random.pick([16, 40])
  }
}

function drawPace(random: Random): Partial<ConsensusParameters> {
  return {
    minimumRoundDelayMs: random.pick([10, 25, 50]),
    gentleRoundDelayMs: random.pick([100, 200]),
    roundTimeoutMs: random.pick([60, 250]),
    heartbeatMs: random.pick([1000, 4000]),
    epochMs: random.pick([300, 1000])
  }
}

/** In this order members may lie or lose their store, as many as the quorum survives. */
function drawFaulty(random: Random, weights: readonly number[]): number[] {
  let left = Math.floor((weights.reduce((sum, weight) => sum + weight, 0) - 1) / 3)
  return random.shuffled([...weights.keys()]).filter(node => {
    if (weights[node]! > left) return false
    left -= weights[node]!
    return true
  })
}

function drawLiars(
  random: Random,
  faulty: readonly number[],
  wished: number | undefined,
  isHonestRun: boolean,
  given: readonly string[] | undefined
): LiarPlan[] {
  const drawn = random.chance(0.5) ? random.integer(1, Math.max(1, faulty.length)) : 0
  const count = isHonestRun ? 0 : Math.min(faulty.length, wished ?? drawn)
  const share = random.pick([0.15, 0.3, 0.6])
  return faulty.slice(0, count).map(node => {
    const some = given ?? random.some(strategies, share)
    return { node, strategies: some.length === 0 ? [random.pick(strategies)] : some, zeal: random.pick([0.1, 0.4, 1]) }
  })
}

function drawLinks(random: Random, nodes: number): Link[][] {
  const model = random.pick(['near', 'uniform', 'bimodal', 'world'] as const)
  const slow = random.chance(0.25) ? random.integer(0, nodes - 1) : -1
  const places = Array.from({ length: nodes }, () => random.next())
  const spreadMs = random.pick([5, 30, 100])
  const tail = { tailChance: random.pick([0.005, 0.01, 0.03]), tailMs: random.pick([300, 800, 1500]) }
  const linkOf = (from: number, to: number): Link => {
    const none = { tailChance: 0, tailMs: 0 }
    const slowMs = from === slow || to === slow ? spreadMs + 20 : 0
    if (model === 'near') return { fromMs: 0.2 + slowMs, toMs: 2 + slowMs, ...none }
    if (model === 'uniform') return { fromMs: 0.5 + slowMs, toMs: 0.5 + 2 * spreadMs + slowMs, ...none }
    if (model === 'bimodal') return { fromMs: spreadMs / 3 + slowMs, toMs: spreadMs / 2 + slowMs, ...tail }
    const apart = Math.abs(places[from]! - places[to]!)
    const wayMs = 1 + 2 * spreadMs * Math.min(apart, 1 - apart) + random.between(0, spreadMs / 4)
    return { fromMs: wayMs + slowMs, toMs: 1.2 * wayMs + slowMs, ...none }
  }
  return Array.from({ length: nodes }, (_, from) => Array.from({ length: nodes }, (_, to) => linkOf(from, to)))
}
