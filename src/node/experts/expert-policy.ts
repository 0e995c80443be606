/**
 * Which experts are worth their bytes on this machine, and which should be in more places. Decides only: no clock, no disk,
 * no network, the same answer for the same sight whatever its order.
 * Source: docs/design.md, "Which experts a node keeps".
 */

/** One expert as the keeper sees it. */
export type ExpertSight = {
  /** Of its part on chain. */
  readonly name: string
  readonly bytes: number
  readonly isHere: boolean
  /** The operator named it, or brought it: it stays, and comes when it is missing. */
  readonly isWanted: boolean
  /** This node fetched it by itself, so it may drop it by itself. */
  readonly isOurs: boolean
  /** Uses of late, by answers made here and calls answered for others: what `decayed` leaves of them. */
  readonly uses: number
  /** How often others say it is used, for those they offer. */
  readonly usesElsewhere: number
  readonly lastUsedMs: number
  /** Other nodes that are known to hold it. */
  readonly holders: number
}

export type KeepingRules = {
  /** For all experts together. */
  readonly bytesMax: number
  readonly coldAfterMs: number
  /** Parts of a hundred that are hot. */
  readonly hotPercent: number
  /** Holders that a hot expert should have besides this node. */
  readonly hotHolders: number
  /** An expert that is used less is not worth fetching. */
  readonly fetchUsesMin: number
  /** So many times the uses per byte of what has to go, or things go to and fro. */
  readonly replaceRatio: number
  readonly fetchesMax: number
}

export const keepingRules: Omit<KeepingRules, 'bytesMax'> = {
  coldAfterMs: 3_600_000,
  hotPercent: 5,
  hotHolders: 3,
  fetchUsesMin: 8,
  replaceRatio: 1.5,
  fetchesMax: 8
}

export type KeepingDecision = {
  /** In the order they are worth it. */
  readonly fetch: readonly string[]
  readonly drop: readonly string[]
  /** Used most: to be offered to more holders while they have too few. */
  readonly hot: readonly string[]
  /** Wanted by the operator, and more than the budget holds. */
  readonly tooLarge: readonly string[]
}

/** Experts with which an expert is used together; the name itself need not be among them. */
export type GroupOf = (name: string) => readonly string[]

const alone: GroupOf = () => []

/** What is left of `uses` after `elapsedMs`: half after each `halfLifeMs`. */
export function decayed(uses: number, elapsedMs: number, halfLifeMs: number): number {
  return elapsedMs <= 0 ? uses : uses * 2 ** (-elapsedMs / halfLifeMs)
}

/** Experts that should be in more places: the top of a hundred by use, while they lack holders. Ties by name. */
export function hotExperts(experts: readonly ExpertSight[], rules: KeepingRules): string[] {
  const used = experts.filter(expert => expert.uses >= rules.fetchUsesMin).sort(byUses)
  const count = Math.ceil((experts.length * rules.hotPercent) / 100)
  return used.slice(0, count).map(expert => expert.name)
}

/**
 * Fetches what is used most for its bytes, lets go of what is cold, and stays within the budget. What the operator wants
 * comes first and never goes; the last known copy of an expert goes only to make room.
 */
export function decideKeeping(
  experts: readonly ExpertSight[],
  rules: KeepingRules,
  nowMs: number,
  groupOf: GroupOf = alone
): KeepingDecision {
  // What was not used for long counts for nothing, or it would come again as soon as it went.
  const sights = experts.map(expert =>
    nowMs - expert.lastUsedMs < rules.coldAfterMs ? expert : { ...expert, uses: 0 }
  )
  const byName = new Map(sights.map(expert => [expert.name, expert]))
  const isCold = (expert: ExpertSight): boolean =>
    nowMs - expert.lastUsedMs >= rules.coldAfterMs && worthOf(expert) < rules.fetchUsesMin
  const drop = new Set(sights.filter(one => mayDrop(one) && one.holders > 0 && isCold(one)).map(expert => expert.name))
  const room = new Room(
    sights.filter(expert => expert.isHere && !drop.has(expert.name)),
    rules
  )
  for (const name of room.shrink()) drop.add(name)
  const fetch: string[] = []
  const tooLarge: string[] = []
  for (const expert of sights.filter(one => one.isWanted && !one.isHere).sort(byDensity)) {
    if (fetch.length >= rules.fetchesMax) break
    if (!take(expert, Number.POSITIVE_INFINITY)) tooLarge.push(expert.name)
  }
  for (const expert of sights.filter(one => !one.isWanted && !one.isHere).sort(byDensity)) {
    if (fetch.length >= rules.fetchesMax) break
    if (worthOf(expert) < rules.fetchUsesMin) continue
    // What others say costs nothing that is used here, and neither does company.
    const isTaken = fetch.includes(expert.name) || take(expert, expert.uses / expert.bytes / rules.replaceRatio)
    if (!isTaken) continue
    for (const name of groupOf(expert.name)) {
      const member = byName.get(name)
      if (member === undefined || member.isHere || fetch.includes(name) || fetch.length >= rules.fetchesMax) continue
      take(member, 0)
    }
  }
  return { fetch, drop: [...drop].sort(), hot: hotExperts(sights, rules), tooLarge }

  function take(expert: ExpertSight, densityMax: number): boolean {
    const victims = room.makeRoom(expert, densityMax)
    if (victims === undefined) return false
    fetch.push(expert.name)
    for (const victim of victims) drop.add(victim.name)
    return true
  }
}

/** What lies here, within the budget, and what of it could go. */
class Room {
  readonly #bytesMax: number
  #usedBytes: number
  /** Least worth its bytes first. */
  #removable: ExpertSight[]

  constructor(kept: readonly ExpertSight[], rules: KeepingRules) {
    this.#bytesMax = rules.bytesMax
    this.#usedBytes = kept.reduce((total, expert) => total + expert.bytes, 0)
    this.#removable = kept.filter(mayDrop).sort((left, right) => byDensity(right, left))
  }

  /** What goes because the budget became smaller. */
  shrink(): string[] {
    const gone: string[] = []
    while (this.#usedBytes > this.#bytesMax && this.#removable.length > 0) {
      const victim = this.#removable.shift()!
      this.#usedBytes -= victim.bytes
      gone.push(victim.name)
    }
    return gone
  }

  /** Takes it in. Victims that are worth less than `densityMax` for their bytes; undefined, and nothing changed, where that is not enough. */
  makeRoom(expert: ExpertSight, densityMax: number): ExpertSight[] | undefined {
    let usedBytes = this.#usedBytes
    let count = 0
    while (usedBytes + expert.bytes > this.#bytesMax) {
      const victim = this.#removable[count]
      if (victim === undefined || densityOf(victim) >= densityMax) return undefined
      usedBytes -= victim.bytes
      count++
    }
    this.#usedBytes = usedBytes + expert.bytes
    return this.#removable.splice(0, count)
  }
}

function mayDrop(expert: ExpertSight): boolean {
  return expert.isHere && expert.isOurs && !expert.isWanted
}

/** Uses here count whole; those that others report count half, because they could be served by others too. */
function worthOf(expert: ExpertSight): number {
  return expert.uses + expert.usesElsewhere / 2
}

function densityOf(expert: ExpertSight): number {
  return worthOf(expert) / Math.max(1, expert.bytes)
}

function byDensity(left: ExpertSight, right: ExpertSight): number {
  return densityOf(right) - densityOf(left) || byText(left, right)
}

function byUses(left: ExpertSight, right: ExpertSight): number {
  return right.uses - left.uses || byText(left, right)
}

function byText(left: ExpertSight, right: ExpertSight): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0
}
