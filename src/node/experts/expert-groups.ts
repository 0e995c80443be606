/**
 * Experts that are used together: seen by the calls of single tokens, one layer after another. Placed together, an answer
 * asks fewer holders for a token. Bounded in memory; the same calls in the same order give the same groups.
 */
export interface ExpertGroups {
  /** Experts that one token of a request used in one layer; layers of a token come in rising order. */
  note(request: string, layer: number, experts: readonly string[]): void
  /** Forgets where the request is, not what it taught. */
  end(request: string): void
  /** Those used with `name` at least half as often as `name` itself, most often first. */
  groupOf(name: string): string[]
}

export type GroupLimits = {
  readonly expertsMax: number
  readonly partnersPerExpertMax: number
  readonly requestsMax: number
  readonly groupSizeMax: number
  /** Fewer uses say nothing. */
  readonly usesMin: number
}

const defaultLimits: GroupLimits = {
  expertsMax: 16_384,
  partnersPerExpertMax: 32,
  requestsMax: 256,
  groupSizeMax: 8,
  usesMin: 16
}

export function createExpertGroups(limits: Partial<GroupLimits> = {}): ExpertGroups {
  return new CountedGroups({ ...defaultLimits, ...limits })
}

type Use = { uses: number; readonly partners: Map<string, number> }

class CountedGroups implements ExpertGroups {
  readonly #limits: GroupLimits
  readonly #uses = new Map<string, Use>()
  /** What the token of a request used one layer before. */
  readonly #before = new Map<string, { readonly layer: number; readonly experts: readonly string[] }>()

  constructor(limits: GroupLimits) {
    this.#limits = limits
  }

  note(request: string, layer: number, experts: readonly string[]): void {
    const before = this.#before.get(request)
    const neighbours = before !== undefined && before.layer === layer - 1 ? before.experts : []
    for (const expert of experts) {
      const use = this.#useOf(expert)
      if (use === undefined) continue
      use.uses++
      for (const partner of [...experts, ...neighbours]) if (partner !== expert) this.#count(use, partner)
      // The layer before could not know yet: being together is mutual.
      for (const neighbour of neighbours) {
        const other = this.#uses.get(neighbour)
        if (other !== undefined && neighbour !== expert) this.#count(other, expert)
      }
    }
    this.#before.delete(request)
    if (this.#before.size >= this.#limits.requestsMax) this.#before.delete(this.#before.keys().next().value!)
    this.#before.set(request, { layer, experts })
  }

  end(request: string): void {
    this.#before.delete(request)
  }

  groupOf(name: string): string[] {
    const use = this.#uses.get(name)
    if (use === undefined || use.uses < this.#limits.usesMin) return []
    return [...use.partners]
      .filter(([, together]) => together * 2 >= use.uses)
      .sort(([left, leftCount], [right, rightCount]) => rightCount - leftCount || (left < right ? -1 : 1))
      .slice(0, this.#limits.groupSizeMax - 1)
      .map(([partner]) => partner)
  }

  #useOf(expert: string): Use | undefined {
    let use = this.#uses.get(expert)
    if (use === undefined && this.#uses.size < this.#limits.expertsMax) {
      use = { uses: 0, partners: new Map() }
      this.#uses.set(expert, use)
    }
    return use
  }

  /** A full list gives the place of its rarest to the newcomer, with its count: who is often there stays (space saving). */
  #count(use: Use, partner: string): void {
    const count = use.partners.get(partner)
    if (count !== undefined || use.partners.size < this.#limits.partnersPerExpertMax) {
      use.partners.set(partner, (count ?? 0) + 1)
      return
    }
    let rarest = ''
    let least = Number.POSITIVE_INFINITY
    for (const [name, times] of use.partners) if (times < least) [rarest, least] = [name, times]
    use.partners.delete(rarest)
    use.partners.set(partner, least + 1)
  }
}
