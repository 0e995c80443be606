import type { RemoteExpertCall } from '../../experts/index.ts'
import { createExpertGroups, type ExpertGroups } from './expert-groups.ts'
import { decayed } from './expert-policy.ts'

/** How often each expert was used of late, wherever it was computed. Names are those of parts on chain. */
export interface ExpertBook {
  /** A call to others for experts of one layer. */
  noteCall(call: RemoteExpertCall, nameOf: (layer: number, expert: number) => string | undefined): void
  /** Uses that were counted elsewhere: by the engine, or for others. */
  note(name: string, uses: number): void
  /** What other nodes say of an expert they want in more places. */
  noteOffer(name: string, uses: number): void
  /** What this answer uses together is to be placed together. */
  beginGrouping(requestId: string): void
  endGrouping(requestId: string): void
  usesOf(name: string): { readonly uses: number; readonly usesElsewhere: number; readonly lastUsedMs: number }
  readonly groups: ExpertGroups
}

export const usesHalfLifeMs = 10 * 60_000
const expertsMax = 65_536
const groupedMax = 4096

export function createExpertBook(nowMs: () => number): ExpertBook {
  return new DecayingBook(nowMs)
}

type Page = { uses: number; usesElsewhere: number; atMs: number; lastUsedMs: number }

class DecayingBook implements ExpertBook {
  readonly #nowMs: () => number
  readonly #startedMs: number
  readonly #pages = new Map<string, Page>()
  readonly groups = createExpertGroups()
  readonly #grouped = new Set<string>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#startedMs = nowMs()
  }

  noteCall(call: RemoteExpertCall, nameOf: (layer: number, expert: number) => string | undefined): void {
    const togetherOf = new Map<string, Set<string>>()
    for (const { expert, requestOfRow } of call.loads) {
      const name = nameOf(call.layer, expert)
      if (name === undefined) continue
      this.note(name, requestOfRow.length)
      // The rows of a prompt are many tokens: who was used with whom cannot be seen.
      if (call.isPrompt) continue
      for (const place of requestOfRow) {
        const request = call.requests[place]
        if (request === undefined || !this.#grouped.has(request)) continue
        const together = togetherOf.get(request)
        if (together === undefined) togetherOf.set(request, new Set([name]))
        else together.add(name)
      }
    }
    for (const [request, names] of togetherOf) this.groups.note(request, call.layer, [...names])
  }

  note(name: string, uses: number): void {
    if (uses <= 0) return
    const page = this.#pageOf(name)
    if (page === undefined) return
    page.uses += uses
    page.lastUsedMs = page.atMs
  }

  noteOffer(name: string, uses: number): void {
    const page = this.#pageOf(name)
    if (page !== undefined) page.usesElsewhere = Math.max(page.usesElsewhere, uses)
  }

  beginGrouping(requestId: string): void {
    if (this.#grouped.size < groupedMax) this.#grouped.add(requestId)
  }

  endGrouping(requestId: string): void {
    this.#grouped.delete(requestId)
    this.groups.end(requestId)
  }

  usesOf(name: string): { uses: number; usesElsewhere: number; lastUsedMs: number } {
    const page = this.#pages.get(name)
    if (page === undefined) return { uses: 0, usesElsewhere: 0, lastUsedMs: this.#startedMs }
    this.#age(page)
    return { uses: page.uses, usesElsewhere: page.usesElsewhere, lastUsedMs: page.lastUsedMs }
  }

  /** Brought to now; undefined when there are too many already. */
  #pageOf(name: string): Page | undefined {
    let page = this.#pages.get(name)
    if (page === undefined) {
      if (this.#pages.size >= expertsMax) return undefined
      const nowMs = this.#nowMs()
      page = { uses: 0, usesElsewhere: 0, atMs: nowMs, lastUsedMs: this.#startedMs }
      this.#pages.set(name, page)
    }
    this.#age(page)
    return page
  }

  #age(page: Page): void {
    const nowMs = this.#nowMs()
    const elapsedMs = nowMs - page.atMs
    page.uses = decayed(page.uses, elapsedMs, usesHalfLifeMs)
    page.usesElsewhere = decayed(page.usesElsewhere, elapsedMs, usesHalfLifeMs)
    page.atMs = nowMs
  }
}
