/**
 * Which sessions are worth a private, prepacked copy of their weights: those with the most use for each byte of it.
 * Pure: counts in, decisions out.
 */
export interface SessionPolicy {
  /** Counts one run of the session `key`. */
  used(key: string): void
  forget(key: string): void
  /** The next copy to make and the copies to give up for it, or undefined when all stands as it should. */
  next(sessions: readonly SessionState[]): { readonly pack: string; readonly giveUp: readonly string[] } | undefined
}

export type SessionState = {
  readonly key: string
  /** What a copy takes; 0 where none is ever made. */
  readonly weightBytes: number
  readonly isPacked: boolean
}

/** Fewer runs than this make nothing hot. */
export const hotRunsMin = 8
/** How much hotter a session must be than what it displaces, so that two of equal use do not take turns. */
const displaceFactor = 1.5
const halveEvery = 16_384

export function createSessionPolicy(budgetBytes: number): SessionPolicy {
  return new UsePerByte(budgetBytes)
}

class UsePerByte implements SessionPolicy {
  readonly #budgetBytes: number
  readonly #runs = new Map<string, number>()
  #counted = 0

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes
  }

  used(key: string): void {
    this.#runs.set(key, (this.#runs.get(key) ?? 0) + 1)
    if (++this.#counted % halveEvery === 0) this.#halve()
  }

  forget(key: string): void {
    this.#runs.delete(key)
  }

  next(sessions: readonly SessionState[]): { pack: string; giveUp: readonly string[] } | undefined {
    const packed = sessions.filter(session => session.isPacked).sort((a, b) => this.#heat(a) - this.#heat(b))
    const freeBytes = this.#budgetBytes - packed.reduce((sum, session) => sum + session.weightBytes, 0)
    const candidates = sessions.filter(session => !session.isPacked && this.#isHot(session))
    for (const candidate of candidates.sort((a, b) => this.#heat(b) - this.#heat(a))) {
      const giveUp = this.#displaced(candidate, packed, freeBytes)
      if (giveUp !== undefined) return { pack: candidate.key, giveUp }
    }
    return undefined
  }

  /** The coldest copies that make room for `candidate`; undefined when one of them is as hot as it. */
  #displaced(candidate: SessionState, packed: readonly SessionState[], freeBytes: number): string[] | undefined {
    const giveUp: string[] = []
    let roomBytes = freeBytes
    for (const session of packed) {
      if (roomBytes >= candidate.weightBytes) break
      if (this.#heat(session) * displaceFactor >= this.#heat(candidate)) return undefined
      giveUp.push(session.key)
      roomBytes += session.weightBytes
    }
    return roomBytes >= candidate.weightBytes ? giveUp : undefined
  }

  #isHot(session: SessionState): boolean {
    return session.weightBytes > 0 && (this.#runs.get(session.key) ?? 0) >= hotRunsMin
  }

  #heat(session: SessionState): number {
    return (this.#runs.get(session.key) ?? 0) / Math.max(1, session.weightBytes)
  }

  /** What was used long ago counts less and less. */
  #halve(): void {
    for (const [key, runs] of this.#runs) {
      if (runs < 2) this.#runs.delete(key)
      else this.#runs.set(key, runs / 2)
    }
  }
}
